//! What a user can do about an answer of an API server that says only what is wrong.

use portolan_api::Kind;
use portolan_api::cluster::Cluster;
use portolan_object::Status;
use portolan_runtime::ClientError;

/// The next step after an error, if its cause is an answer, or the lack of one, that many commands meet.
pub(super) fn next_step(error: &anyhow::Error) -> Option<&'static str> {
    let error = error.chain().find_map(|cause| cause.downcast_ref::<ClientError>())?;
    match error {
        ClientError::Unreachable { .. } if error.is_distrusted() => Some(
            "the kubeconfig has another certificate-authority-data, or another address, than this server: get its kubeconfig \
             again (a control plane writes portolan.config into its state directory)",
        ),
        ClientError::Unreachable { .. } => {
            Some("see that the server runs, and that the address in the kubeconfig is its own")
        }
        ClientError::Forbidden(status) if status.code == 401 => Some(
            "the credentials in the kubeconfig are expired, deleted, or those of another server: get its kubeconfig again",
        ),
        ClientError::Forbidden(status) if status.message.contains("\"system:anonymous\"") => Some(
            "the user of the kubeconfig's context has no credentials: add them, or choose another context",
        ),
        ClientError::NotFound(status) if is_cluster(status) => {
            Some("`portolan get clusters` lists the clusters that have joined")
        }
        ClientError::NotFound(status) if status.message.contains("page not found") => {
            Some("use the kubeconfig, and the context, of a Portolan control plane")
        }
        _ => None,
    }
}

fn is_cluster(status: &Status) -> bool {
    let details = status.details.as_ref();
    details.is_some_and(|details| details.group == Cluster::GROUP && details.kind == Cluster::PLURAL)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use anyhow::Context;

    #[test]
    fn an_error_that_many_commands_meet_has_a_next_step() {
        let status = |code, message: &str| Status::new(code, "", message);
        let cluster = {
            let mut status = status(404, "clusters.cluster.karmada.io \"eu\" not found");
            let details = status.details.get_or_insert_default();
            (details.group, details.kind) = (Cluster::GROUP.to_owned(), Cluster::PLURAL.to_owned());
            status
        };
        let refused = || {
            let source = Box::new(io::Error::from(io::ErrorKind::ConnectionRefused));
            ClientError::Unreachable { server: "https://a".to_owned(), source }
        };
        let cases = [
            ("no answer", refused(), Some("see that the server runs")),
            ("401", ClientError::Forbidden(status(401, "Unauthorized")), Some("the credentials")),
            (
                "no credentials",
                ClientError::Forbidden(status(403, "User \"system:anonymous\" cannot get path")),
                Some("the user of the kubeconfig's context has no credentials"),
            ),
            ("no rights", ClientError::Forbidden(status(403, "User \"eve\" cannot")), None),
            ("a cluster", ClientError::NotFound(cluster), Some("`portolan get clusters`")),
            (
                "not served",
                ClientError::NotFound(status(404, "404 page not found")),
                Some("use the kubeconfig"),
            ),
            ("another object", ClientError::NotFound(status(404, "pods \"a\" not found")), None),
        ];
        for (name, error, want) in cases {
            let error = Err::<(), _>(error).context("cannot do it").expect_err("an error");
            let step = next_step(&error);
            assert_eq!(step.is_some(), want.is_some(), "{name}: {step:?}");
            assert!(step.unwrap_or_default().starts_with(want.unwrap_or_default()), "{name}: {step:?}");
        }
    }
}
