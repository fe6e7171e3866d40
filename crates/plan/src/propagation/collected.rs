//! `StatusCollected` of Works and bindings: whether the interpreters of a kind can read status and health of the object in
//! the members. It is there once they could not.

use portolan_api::conditions::{binding, work};
use portolan_api::meta::{Condition, condition};
use portolan_api::names;
use portolan_api::work::Work;

/// The condition of a Work; `failure` is why the object could not be read.
pub fn of_work(failure: Option<&str>, known: &[Condition], now: &str) -> Option<Condition> {
    use work::{STATUS_COLLECTED, STATUS_COLLECTED_FAILED};
    match failure {
        Some(failure) => Some(Condition::new(STATUS_COLLECTED, false, STATUS_COLLECTED_FAILED, failure, now)),
        None => {
            condition(known, STATUS_COLLECTED)?;
            let message = "Status and health of the object were read.";
            Some(Condition::new(STATUS_COLLECTED, true, STATUS_COLLECTED, message, now))
        }
    }
}

/// The condition of a binding: false with the first cluster in which its object cannot be read.
pub fn of_binding<'a>(
    works: impl IntoIterator<Item = &'a Work>,
    known: &[Condition],
    now: &str,
) -> Option<Condition> {
    use binding::{STATUS_COLLECTED, STATUS_COLLECTED_FAILED};
    let living = works.into_iter().filter(|work| !work.metadata.is_deleting());
    let mut failed: Vec<(&str, &str)> = living
        .filter_map(|work| {
            let cluster = names::cluster_of_execution_namespace(&work.metadata.namespace)?;
            let collected = condition(&work.status.conditions, work::STATUS_COLLECTED)?;
            (!collected.is_true()).then_some((cluster, collected.message.as_str()))
        })
        .collect();
    failed.sort_unstable();
    let Some((cluster, failure)) = failed.first() else {
        condition(known, STATUS_COLLECTED)?;
        let message = "Status and health of all objects were read.";
        return Some(Condition::new(STATUS_COLLECTED, true, STATUS_COLLECTED, message, now));
    };
    let others = match failed.len() - 1 {
        0 => String::new(),
        others => format!("; and in {others} more"),
    };
    let message = format!("In cluster {cluster}: {failure}{others}");
    Some(Condition::new(STATUS_COLLECTED, false, STATUS_COLLECTED_FAILED, message, now))
}

#[cfg(test)]
mod tests {
    use portolan_api::meta::ObjectMeta;

    use super::*;

    fn work(cluster: &str, failures: &[Option<&str>]) -> Work {
        let metadata = ObjectMeta::namespaced(names::execution_namespace(cluster), "w");
        let mut work = Work { metadata, ..Work::default() };
        for failure in failures {
            let known = work.status.conditions.clone();
            work.status.conditions = of_work(*failure, &known, "t").into_iter().collect();
        }
        work
    }

    #[test]
    fn a_status_that_cannot_be_read_is_said_until_it_is_read() {
        let cases = [
            ("it never failed", vec![work("a", &[None])], None),
            (
                "it fails in one",
                vec![work("b", &[Some("no parts")]), work("a", &[None])],
                Some((false, "In cluster b: no parts")),
            ),
            (
                "it fails in two",
                vec![work("b", &[Some("no parts")]), work("a", &[Some("too long")])],
                Some((false, "In cluster a: too long; and in 1 more")),
            ),
            ("it is over", vec![work("a", &[Some("no parts"), None])], None),
        ];
        for (name, works, want) in cases {
            let found = of_binding(&works, &[], "t");
            let found = found.as_ref().map(|found| (found.is_true(), found.message.as_str()));
            assert_eq!(found, want, "{name}");
        }
        let failed = of_binding(&[work("a", &[Some("no parts")])], &[], "t").expect("it failed");
        let over = of_binding(&[work("a", &[Some("no parts"), None])], &[failed], "t").expect("it is known");
        assert!(over.is_true(), "{over:?}");
    }
}
