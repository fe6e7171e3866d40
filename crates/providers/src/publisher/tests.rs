use std::collections::VecDeque;

use futures::FutureExt;
use futures::future::BoxFuture;
use portolan_plan::federation::dns::record::{RecordType, Write};

use super::*;
use crate::provider::Limits;

/// A provider that answers its requests with these results, and then with success.
#[derive(Debug)]
struct Scripted {
    is_atomic: bool,
    /// For each request: the change with an error, or all of them, and the error.
    answers: std::sync::Mutex<VecDeque<(Option<&'static str>, ProviderError)>>,
    /// A change that is always rejected.
    bad: Option<&'static str>,
    /// The names of each request.
    seen: std::sync::Mutex<Vec<Vec<String>>>,
}

fn label(change: &Change) -> String {
    change.name.as_str().split('.').next().unwrap_or_default().to_owned()
}

fn rejected(change: &Change) -> ProviderError {
    ProviderError::Rejected { server: "dns".to_owned(), name: change.name.clone(), reason: "no".to_owned() }
}

impl Provider for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn limits(&self) -> Limits {
        Limits { size_per_batch: 4, interval: Duration::from_millis(100), is_atomic: self.is_atomic }
    }

    fn list<'a>(&'a self, _: &'a DomainName) -> BoxFuture<'a, Result<Vec<RecordSet>, ProviderError>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn apply<'a>(
        &'a self,
        _: &'a DomainName,
        batch: &'a [Change],
    ) -> BoxFuture<'a, Vec<Result<(), ProviderError>>> {
        self.seen.lock().expect("no panic").push(batch.iter().map(label).collect());
        let answer = self.answers.lock().expect("no panic").pop_front();
        let bad = batch.iter().find(|change| self.bad == Some(label(change).as_str()));
        let result = |change: &Change| match (&answer, bad) {
            (Some((None, error)), _) => Err(error.clone()),
            (Some((Some(name), error)), _) if *name == label(change) => Err(error.clone()),
            (_, Some(bad)) if self.is_atomic || label(bad) == label(change) => Err(rejected(bad)),
            _ => Ok(()),
        };
        let results = batch.iter().map(result).collect();
        async { results }.boxed()
    }
}

fn scripted(is_atomic: bool, answers: Vec<(Option<&'static str>, ProviderError)>) -> Scripted {
    Scripted {
        is_atomic,
        answers: std::sync::Mutex::new(answers.into()),
        bad: None,
        seen: Default::default(),
    }
}

fn changes(names: &str) -> Vec<Change> {
    let change = |name: char| {
        let name = DomainName::parse(&format!("{name}.example.com")).expect("a name");
        let set = RecordSet::new(name.clone(), RecordType::A, 60, ["192.0.2.1"]);
        Change { name, writes: vec![Write::Put { set, before: None }] }
    };
    names.chars().map(change).collect()
}

/// Publishes; returns which changes are there, and the names of each request.
async fn published(provider: Scripted, names: &str) -> (Report, String, Vec<String>) {
    let (provider, changes) = (Arc::new(provider), changes(names));
    let zone = DomainName::parse("example.com").expect("a name");
    let report = Publisher::new(provider.clone()).publish(&zone, &changes, Mode::Write).await;
    let done = changes.iter().zip(&report.results).filter(|(_, result)| result.is_ok());
    let done = done.map(|(change, _)| label(change)).collect();
    let seen = provider.seen.lock().expect("no panic").iter().map(|batch| batch.concat()).collect();
    (report, done, seen)
}

fn throttled() -> ProviderError {
    ProviderError::Throttled { server: "dns".to_owned() }
}

#[tokio::test(start_paused = true)]
async fn a_throttled_batch_is_sent_again_later() {
    let begun = Instant::now();
    let (report, done, seen) =
        published(scripted(true, vec![(None, throttled()), (None, throttled())]), "abcdef").await;
    assert_eq!((done.as_str(), report.requests), ("abcdef", 4));
    assert_eq!(seen, ["abcd", "abcd", "abcd", "ef"]);
    assert!(begun.elapsed() >= Duration::from_millis(750), "half of 0.5 s and of 1 s at least");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_throttles_for_good_is_reported_and_the_rest_is_not_tried() {
    let answers = vec![(None, throttled()); 9];
    let (report, done, seen) = published(scripted(true, answers), "abcdef").await;
    assert_eq!((done.as_str(), seen.len()), ("", 5));
    let text: Vec<String> =
        report.results.iter().map(|result| result.clone().expect_err("nothing").to_string()).collect();
    assert!(text[0].contains("limits the rate of requests"), "{text:?}");
    assert_eq!(report.results[4], Err(ProviderError::NotTried));
}

#[tokio::test(start_paused = true)]
async fn one_bad_change_leaves_the_others_of_its_batch() {
    for is_atomic in [true, false] {
        let provider = Scripted { bad: Some("c"), ..scripted(is_atomic, Vec::new()) };
        let (report, done, seen) = published(provider, "abcdef").await;
        assert_eq!(done, "abdef", "atomic: {is_atomic}");
        assert!(report.error().is_some_and(|error| error.to_string().contains("c.example.com")));
        let want: &[&str] = if is_atomic { &["abcd", "ab", "cd", "c", "d", "ef"] } else { &["abcd", "ef"] };
        assert_eq!(seen, want, "atomic: {is_atomic}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_key_ends_a_publication_at_once() {
    let wrong =
        ProviderError::Key { server: "dns".to_owned(), key: "fed".to_owned(), reason: "unknown".to_owned() };
    let (report, done, seen) = published(scripted(false, vec![(None, wrong.clone())]), "abcdef").await;
    assert_eq!((done.as_str(), seen.len()), ("", 1));
    assert_eq!((&report.results[0], &report.results[5]), (&Err(wrong), &Err(ProviderError::NotTried)));
}
