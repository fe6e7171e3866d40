//! Objects of a server that are written again and again with the same content, because another writer changes them back.
//!
//! Two controllers that disagree about an object would otherwise write it as fast as they can. A changed template or a
//! changed endpoint is other content and is never slowed down.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use http::Method;
use parking_lot::Mutex;
use tokio::time::Instant;

/// Time in which repetitions are counted.
pub(crate) const WINDOW: Duration = Duration::from_secs(60);
/// Writes in [`WINDOW`] that may repeat the content of an earlier one, for each object.
pub const MAX_REPETITIONS: usize = 10;
/// Writes of an object that are remembered, at most.
const MAX_REMEMBERED: usize = 64;
/// Objects that are remembered, at most. Writes of further ones are not counted.
const MAX_OBJECTS: usize = 20_000;
/// Fields with a new value in each write of the same content.
const VOLATILE: [&str; 3] = [VERSION, "\"lastTransitionTime\":\"", "\"generation\":"];
/// The field of the version in a body.
const VERSION: &str = "\"resourceVersion\":\"";

/// The writes to one server.
#[derive(Debug, Default)]
pub(crate) struct Rewrites(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// By path.
    objects: HashMap<String, Writes>,
    /// Objects of which repetitions are not sent, and until when.
    paused: HashMap<String, Instant>,
}

/// The last writes of one object.
#[derive(Debug, Default)]
struct Writes {
    /// Time and content, the oldest first.
    recent: VecDeque<(Instant, u64)>,
    /// Times of the writes that repeated the content of an earlier one.
    repetitions: VecDeque<Instant>,
    /// Version after the last write.
    version: String,
}

/// One write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Write<'a> {
    /// Path of the object.
    pub(crate) object: &'a str,
    /// Method of the request.
    pub(crate) method: &'a Method,
    /// Body of the request.
    pub(crate) body: &'a [u8],
}

impl Rewrites {
    /// Admits a write.
    ///
    /// # Errors
    /// The time to wait, if the content has been repeated too often.
    pub(crate) fn admit(&self, write: Write<'_>) -> Result<(), Duration> {
        let now = Instant::now();
        let mut state = self.0.lock();
        if state.objects.len() >= MAX_OBJECTS && !state.objects.contains_key(write.object) {
            state.objects.retain(|_, writes| !writes.is_over(now));
            if state.objects.len() >= MAX_OBJECTS {
                return Ok(());
            }
        }
        let admitted = state.objects.entry(write.object.to_owned()).or_default().admit(write, now);
        admitted.map_err(|until| {
            state.paused.insert(write.object.to_owned(), until);
            until.duration_since(now)
        })
    }

    /// Notes the version of an object after a write.
    pub(crate) fn written(&self, object: &str, version: &str) {
        if let Some(writes) = self.0.lock().objects.get_mut(object) {
            version.clone_into(&mut writes.version);
        }
    }

    /// Number of objects of which repetitions are not sent at present.
    pub(crate) fn contested(&self) -> usize {
        let now = Instant::now();
        let mut state = self.0.lock();
        state.paused.retain(|_, until| *until > now);
        state.paused.len()
    }
}

impl Writes {
    /// The error is the time from which the content may be written again.
    fn admit(&mut self, write: Write<'_>, now: Instant) -> Result<(), Instant> {
        while self.recent.front().is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW) {
            self.recent.pop_front();
        }
        while self.repetitions.front().is_some_and(|at| now.duration_since(*at) >= WINDOW) {
            self.repetitions.pop_front();
        }
        let content = content(write.method, write.body);
        let is_known = self.recent.iter().any(|(_, known)| *known == content);
        if is_known && (self.is_changed_by_others(write) || !follows_endpoints(write.object)) {
            if let (true, Some(oldest)) =
                (self.repetitions.len() >= MAX_REPETITIONS, self.repetitions.front())
            {
                return Err(*oldest + WINDOW);
            }
            self.repetitions.push_back(now);
        }
        if self.recent.len() >= MAX_REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back((now, content));
        Ok(())
    }

    /// Whether the object has changed since the last write: the request has another version, or creates the object again.
    fn is_changed_by_others(&self, write: Write<'_>) -> bool {
        version_in(write.body).is_none_or(|version| version != self.version)
    }

    fn is_over(&self, now: Instant) -> bool {
        self.recent.back().is_none_or(|(at, _)| now.duration_since(*at) >= WINDOW)
    }
}

/// Whether the content of the object follows endpoints, which may go and come back many times in a minute.
fn follows_endpoints(object: &str) -> bool {
    object.contains("/endpointslices/")
}

/// `metadata.resourceVersion` in a body.
fn version_in(body: &[u8]) -> Option<&str> {
    let (_, after) = std::str::from_utf8(body).ok()?.split_once(VERSION)?;
    after.split_once('"').map(|(version, _)| version)
}

/// The content of a write, without the fields that differ in each repetition.
fn content(method: &Method, body: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    method.as_str().hash(&mut hasher);
    let Ok(mut rest) = std::str::from_utf8(body) else {
        body.hash(&mut hasher);
        return hasher.finish();
    };
    while let Some((before, after)) =
        VOLATILE.iter().filter_map(|field| rest.split_once(field)).min_by_key(|(before, _)| before.len())
    {
        before.hash(&mut hasher);
        // The end of a text, or of a number.
        rest = after.find(['"', ',', '}']).and_then(|end| after.get(end..)).unwrap_or_default();
    }
    rest.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: &str = "/api/v1/namespaces/shop/services/a";
    const SLICE: &str = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices/a";

    /// A PUT of `content` over `version`.
    fn put(rewrites: &Rewrites, object: &str, version: usize, content: usize) -> Result<(), Duration> {
        let body = format!(r#"{{"metadata":{{"resourceVersion":"{version}"}},"spec":{content}}}"#);
        rewrites.admit(Write { object, method: &Method::PUT, body: body.as_bytes() })
    }

    #[tokio::test(start_paused = true)]
    async fn two_writers_that_disagree_are_slowed_down_and_changed_content_is_not() {
        let rewrites = Rewrites::default();
        for round in 0..1000 {
            assert_eq!(put(&rewrites, "/new", round, round), Ok(()), "new content");
        }
        let sent = (0..1000).filter(|round| put(&rewrites, SERVICE, *round, round % 2).is_ok()).count();
        assert_eq!(sent, MAX_REPETITIONS + 2, "each content once, and the repetitions");
        assert_eq!(rewrites.contested(), 1);
        assert_eq!(put(&rewrites, SERVICE, 1001, 7), Ok(()), "a user's change goes through");
        tokio::time::advance(WINDOW).await;
        assert_eq!(rewrites.contested(), 0);
        assert_eq!(put(&rewrites, SERVICE, 1002, 0), Ok(()), "tried again");
    }

    #[tokio::test(start_paused = true)]
    async fn endpoints_that_go_and_come_back_are_followed_and_slices_that_another_writer_changes_are_not() {
        let rewrites = Rewrites::default();
        for round in 0..1000 {
            assert_eq!(put(&rewrites, SLICE, round, round % 2), Ok(()), "our own last version");
            rewrites.written(SLICE, &(round + 1).to_string());
        }
        let sent = (0..1000).filter(|round| put(&rewrites, SLICE, 5000 + round, round % 2).is_ok()).count();
        assert_eq!(sent, MAX_REPETITIONS);
        let create = Write { object: "/endpointslices/b", method: &Method::POST, body: b"{}" };
        let created = (0..1000).filter(|_| rewrites.admit(create).is_ok()).count();
        assert_eq!(created, MAX_REPETITIONS + 1, "another writer deletes it each time");
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_repetitions_in_a_minute_are_no_fight() {
        let rewrites = Rewrites::default();
        for round in 0..100 {
            assert_eq!(put(&rewrites, SERVICE, round, 1), Ok(()), "round {round}");
            tokio::time::advance(Duration::from_secs(6)).await;
        }
    }

    #[test]
    fn content_is_compared_without_versions_and_times() {
        let of = |text: &str| content(&Method::PUT, text.as_bytes());
        let with = |version: &str, time: &str, port: u16| {
            of(&format!(
                r#"{{"metadata":{{"generation":{version},"resourceVersion":"{version}"}},"status":[{{"lastTransitionTime":"{time}","a":{port}}}]}}"#
            ))
        };
        assert_eq!(with("1", "t1", 80), with("2", "t2", 80));
        assert_ne!(with("1", "t1", 80), with("1", "t1", 81));
        assert_ne!(of("{}"), content(&Method::DELETE, b"{}"));
    }
}
