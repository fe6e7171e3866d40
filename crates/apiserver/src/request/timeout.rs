//! The time limit of a request.

use std::time::Duration;

use super::query::Query;

/// Longest time of a request that is not a watch, as `--request-timeout` of kube-apiserver.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// The limit that `timeout` asks for, at most [`REQUEST_TIMEOUT`].
pub(crate) fn from_query(query: &Query) -> Duration {
    query
        .non_empty("timeout")
        .and_then(go_duration)
        .filter(|limit| !limit.is_zero())
        .unwrap_or(REQUEST_TIMEOUT)
        .min(REQUEST_TIMEOUT)
}

/// Parses a duration in the format of Go's `time.ParseDuration`, such as `1m30s`.
fn go_duration(text: &str) -> Option<Duration> {
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest.find(|letter: char| letter.is_ascii_digit()).unwrap_or(rest.len());
        let scale = match &rest[..unit] {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 0.001,
            _ => return None,
        };
        total += number * scale;
        rest = &rest[unit..];
    }
    Duration::try_from_secs_f64(total).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_in_go_format() {
        let cases =
            [("32s", Some(32_000)), ("1m30s", Some(90_000)), ("1.5h", Some(5_400_000)), ("250ms", Some(250))];
        for (text, want) in cases {
            assert_eq!(go_duration(text), want.map(Duration::from_millis), "{text}");
        }
        for text in ["abc", "5", "5x"] {
            assert_eq!(go_duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_request_may_shorten_the_limit_but_not_extend_it() {
        for (query, seconds) in [("", 60), ("timeout=5s", 5), ("timeout=5h", 60), ("timeout=0s", 60)] {
            assert_eq!(from_query(&Query::parse(query)), Duration::from_secs(seconds), "{query}");
        }
    }
}
