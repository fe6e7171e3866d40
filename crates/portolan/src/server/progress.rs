//! How far a starting server has come, for `/readyz` of `--metrics-listen`.

use portolan_controllers::leadership::{Candidacy, Standing};
use portolan_net::telemetry::Readiness;
use tokio::sync::watch;

/// The progress of a server. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress(watch::Sender<Stage>);

#[derive(Debug, Clone, Default)]
enum Stage {
    /// The API server is there; the controllers do not run yet.
    #[default]
    Starting,
    /// It stands for election.
    Candidate(Candidacy),
    /// The controllers run.
    Running,
    /// The controllers do not run, and why.
    Incomplete(String),
}

impl Progress {
    /// The server stands for election.
    pub(super) fn stand(&self, candidacy: Candidacy) {
        self.0.send_replace(Stage::Candidate(candidacy));
    }

    /// The controllers run, unless something is missing.
    pub(super) fn started(&self, missing: Option<String>) {
        self.0.send_replace(missing.map_or(Stage::Running, Stage::Incomplete));
    }

    /// Whether the server does its work. A replica that waits for another one does; the API server of one without controllers
    /// has to be reached for a repair.
    pub(super) fn readiness(&self) -> Readiness {
        let waiting = |what: &str| Readiness::NotReady(what.to_owned());
        match &*self.0.borrow() {
            Stage::Starting => waiting("the controllers have not started yet"),
            Stage::Running => Readiness::Ready(None),
            Stage::Incomplete(missing) => Readiness::Ready(Some(missing.clone())),
            Stage::Candidate(candidacy) => match candidacy.standing() {
                Standing::Asking => waiting("the Lease was not read yet"),
                Standing::Barred(reason) => Readiness::NotReady(reason),
                Standing::Follows(leader) => {
                    Readiness::Ready(Some(format!("{leader} leads, this replica waits")))
                }
                Standing::Leads => waiting("the controllers have not started yet"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_ready_when_its_controllers_run() {
        let progress = Progress::default();
        assert!(matches!(progress.readiness(), Readiness::NotReady(_)));
        progress.stand(Candidacy::default());
        assert_eq!(progress.readiness(), Readiness::NotReady("the Lease was not read yet".to_owned()));
        progress.started(None);
        assert_eq!(progress.readiness(), Readiness::Ready(None));
        progress.started(Some("2 objects are damaged".to_owned()));
        assert_eq!(progress.readiness(), Readiness::Ready(Some("2 objects are damaged".to_owned())));
    }
}
