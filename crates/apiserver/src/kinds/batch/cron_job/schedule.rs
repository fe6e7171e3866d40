//! Cron schedules, only to tell whether they can be read.

/// Range and names of one field.
struct Field {
    least: u32,
    most: u32,
    names: &'static [&'static str],
}

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const FIELDS: [Field; 5] = [
    Field { least: 0, most: 59, names: &[] },
    Field { least: 0, most: 23, names: &[] },
    Field { least: 1, most: 31, names: &[] },
    Field { least: 1, most: 12, names: MONTHS },
    Field { least: 0, most: 6, names: DAYS },
];
const DESCRIPTORS: [&str; 7] =
    ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

/// Checks a schedule of five fields, or a word such as `@hourly`.
///
/// # Errors
/// Error text for a schedule that cannot be parsed, as upstream words it.
pub(crate) fn check(text: &str) -> Result<(), String> {
    if text.starts_with('@') {
        return descriptor(text);
    }
    let text = match text.split_once(' ') {
        Some((zone, rest)) if zone.starts_with("TZ=") || zone.starts_with("CRON_TZ=") => rest,
        _ => text,
    };
    let parts: Vec<&str> = text.split_whitespace().collect();
    if parts.len() != FIELDS.len() {
        return Err(format!("expected exactly 5 fields, found {}: [{}]", parts.len(), parts.join(" ")));
    }
    parts
        .iter()
        .zip(&FIELDS)
        .try_for_each(|(part, field)| part.split(',').try_for_each(|range| field.check(range)))
}

fn descriptor(text: &str) -> Result<(), String> {
    let Some(duration) = text.strip_prefix("@every ") else {
        let is_known = DESCRIPTORS.contains(&text);
        return if is_known { Ok(()) } else { Err(format!("unrecognized descriptor: {text}")) };
    };
    let is_duration = duration.ends_with(['s', 'm', 'h'])
        && duration.starts_with(|first: char| first.is_ascii_digit())
        && duration.chars().all(|letter| letter.is_ascii_digit() || "hmsuµn.".contains(letter));
    if is_duration {
        return Ok(());
    }
    Err(format!("failed to parse duration {text}: time: invalid duration {duration:?}"))
}

impl Field {
    /// One entry of a list: `*`, `n`, `n-m`, each possibly with `/step`.
    fn check(&self, text: &str) -> Result<(), String> {
        let (range, step) = match text.split_once('/') {
            Some((_, rest)) if rest.contains('/') => return Err(format!("too many slashes: {text}")),
            Some((range, step)) => (range, Some(step)),
            None => (text, None),
        };
        let (start, end) = match range.split_once('-') {
            _ if range == "*" || range == "?" => (self.least, self.most),
            Some((_, rest)) if rest.contains('-') => return Err(format!("too many hyphens: {text}")),
            Some((start, end)) => (self.number(start)?, self.number(end)?),
            None => {
                let number = self.number(range)?;
                (number, if step.is_some() { self.most } else { number })
            }
        };
        if let Some(step) = step
            && number(step)? == 0
        {
            return Err(format!("step of range should be a positive number: {text}"));
        }
        match () {
            () if start < self.least => {
                Err(format!("beginning of range ({start}) below minimum ({}): {text}", self.least))
            }
            () if end > self.most => {
                Err(format!("end of range ({end}) above maximum ({}): {text}", self.most))
            }
            () if start > end => {
                Err(format!("beginning of range ({start}) beyond end of range ({end}): {text}"))
            }
            () => Ok(()),
        }
    }

    fn number(&self, text: &str) -> Result<u32, String> {
        let position = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        match position.and_then(|position| u32::try_from(position).ok()) {
            Some(position) => Ok(position + self.least),
            None => number(text),
        }
    }
}

fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| {
        format!("failed to parse int from {text}: strconv.Atoi: parsing {text:?}: invalid syntax")
    })
}
