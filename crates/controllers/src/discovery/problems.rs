//! Problems of the imports of all members, as their last passes have found them.
//!
//! Kept in memory: every pass finds them again, also after a restart. The conditions of the exports name them.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use portolan_object::ObjectKey;
use portolan_plan::discovery::problem::ImportProblem;
use portolan_runtime::{ClientError, ClusterName};

/// The problems, by importing member and service. Services without a problem have no entry.
#[derive(Default)]
pub(super) struct Problems(Mutex<BTreeMap<(ClusterName, ObjectKey), Vec<ImportProblem>>>);

impl Problems {
    /// Replaces the problems of a service in `member`. True if they changed.
    pub(super) fn set(&self, member: &ClusterName, service: &ObjectKey, found: Vec<ImportProblem>) -> bool {
        let key = (member.clone(), service.clone());
        let mut problems = self.0.lock();
        let before =
            if found.is_empty() { problems.remove(&key) } else { problems.insert(key, found.clone()) };
        before.unwrap_or_default() != found
    }

    /// Forgets a member that left. Returns the services concerned.
    pub(super) fn forget_member(&self, member: &ClusterName) -> Vec<ObjectKey> {
        let mut services = Vec::new();
        self.0.lock().retain(|(cluster, service), _| {
            let stays = cluster != member;
            if !stays {
                services.push(service.clone());
            }
            stays
        });
        services
    }

    /// Problems of `service` that concern the exporter with one of `names`, each with its importing cluster: failures, and
    /// those with which the export is ready nevertheless.
    pub(super) fn of(&self, service: &ObjectKey, names: &[&str]) -> (Vec<String>, Vec<String>) {
        let problems = self.0.lock();
        let of_service = problems.iter().filter(|((_, key), _)| key == service);
        let concerned =
            of_service.flat_map(|((cluster, _), found)| found.iter().map(move |one| (cluster, one)));
        let concerned: Vec<_> = concerned.filter(|(_, problem)| problem.concerns(names)).collect();
        let texts = |wanted: bool| {
            let chosen = concerned.iter().filter(|(_, problem)| problem.is_failure() == wanted);
            chosen.map(|(cluster, problem)| format!("cluster {cluster}: {problem}")).collect()
        };
        (texts(true), texts(false))
    }
}

/// The problem that an error of a write shows; `None` for errors that pass, such as a conflict or a lost connection.
pub(super) fn of_error(error: &ClientError) -> Option<ImportProblem> {
    match error {
        ClientError::Forbidden(status) | ClientError::Invalid(status) => {
            Some(ImportProblem::Refused { message: status.to_string() })
        }
        // Without the time to wait, so that an export is not written at every attempt.
        ClientError::Contested { object, .. } => Some(ImportProblem::Contested {
            message: format!("{object} is written again and again, because another writer changes it back"),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_told_to_the_exporters_that_they_concern() {
        let (problems, us) = (Problems::default(), ClusterName::new("us"));
        let service = ObjectKey::namespaced("shop", "web");
        let refused = ImportProblem::Refused { message: "forbidden".to_owned() };
        let missing =
            ImportProblem::MissingPorts { exporter: "eu".to_owned(), ports: vec!["80/TCP".to_owned()] };
        assert!(problems.set(&us, &service, vec![refused.clone(), missing.clone()]));
        assert!(!problems.set(&us, &service, vec![refused, missing]), "nothing changed");
        let (failures, doubts) = problems.of(&service, &["eu", "id-eu"]);
        assert_eq!((failures.len(), doubts.len()), (1, 1));
        assert!(failures[0].starts_with("cluster us: ") && failures[0].contains("forbidden"), "{failures:?}");
        assert_eq!(problems.of(&service, &["asia"]).1, Vec::<String>::new(), "another exporter");
        assert!(problems.set(&us, &service, Vec::new()), "they are solved");
        assert!(problems.forget_member(&us).is_empty());
    }
}
