//! Why a cluster could not be joined or removed.

use std::time::Duration;

use portolan_api::cluster::MAX_NAME_LENGTH;
use portolan_api::labels::CONTROL_PLANE;
use portolan_runtime::ClientError;

use crate::clusters::ownership::take::TakeError;

/// A cluster could not be joined or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The name cannot be used.
    #[error(
        "{name:?} cannot be a cluster's name: it must be a DNS label of at most {MAX_NAME_LENGTH} characters"
    )]
    Name {
        /// The given name.
        name: String,
    },
    /// The cluster is the control plane itself.
    #[error(
        "this cluster is the control plane itself: both kubeconfigs reach the API server whose namespace kube-system has \
         uid {id}. Everything that policies place in a member would meet its own template there; join another cluster"
    )]
    Itself {
        /// Uid of the namespace `kube-system`.
        id: String,
    },
    /// The same cluster is a member already, under another name.
    #[error("this cluster has joined already as {holder:?} (id {id}); unjoin that first")]
    AlreadyJoined {
        /// Its present name.
        holder: String,
        /// Its identity: the uid of its namespace `kube-system`.
        id: String,
    },
    /// Another cluster has the name.
    #[error(
        "the name {name:?} belongs to another cluster (id {id}); choose another name, or `portolan unjoin {name}` first"
    )]
    NameTaken {
        /// The given name.
        name: String,
        /// Identity of the other cluster.
        id: String,
    },
    /// The cluster is a member in pull mode.
    #[error(
        "cluster {name} has registered in pull mode, so that its agent works there: `portolan register` renews its \
         credential; for push mode, `portolan unjoin {name}` first"
    )]
    HasAgent {
        /// Its name.
        name: String,
    },
    /// The cluster is a member in push mode.
    #[error(
        "cluster {name} has joined in push mode: `portolan join` renews its credential; for pull mode, `portolan unjoin \
         {name}` first"
    )]
    IsPushed {
        /// Its name.
        name: String,
    },
    /// Another control plane holds the cluster.
    #[error(transparent)]
    Held(TakeError),
    /// Another cluster of the federation has the address.
    #[error("{address} is the address of cluster {holder:?}; unjoin that first")]
    AddressTaken {
        /// The cluster.
        holder: String,
        /// The address.
        address: String,
    },
    /// The cluster has joined with another address or CA, and nothing proves that this is the same cluster. Its id is no
    /// proof, because a cluster says it itself.
    #[error(
        "{name:?} has joined with address {known}, and nothing proves that {address} is the same cluster: {cause}. If it \
         is, join with --replace-address; if not, choose another name, or `portolan unjoin {name}` first"
    )]
    Unproven {
        /// The given name.
        name: String,
        /// The address until now.
        known: String,
        /// The new address.
        address: String,
        /// Why the known address does not help.
        cause: String,
    },
    /// A namespace that is needed is being deleted, and does not go.
    #[error(
        "namespace {namespace} is being deleted in cluster {cluster}, and takes no new objects: {cause}. Delete what is left \
         in it, or remove a finalizer that no controller serves any more, and try again"
    )]
    Terminating {
        /// The member.
        cluster: String,
        /// The namespace.
        namespace: String,
        /// What its deletion waits for.
        cause: String,
    },
    /// A request to the member failed.
    #[error("member {cluster}: {step}: {source}")]
    Member {
        /// The member.
        cluster: String,
        /// The operation.
        step: &'static str,
        /// The cause.
        source: ClientError,
    },
    /// A request to the control plane failed.
    #[error("control plane: {step}: {source}")]
    Hub {
        /// The operation.
        step: &'static str,
        /// The cause.
        source: ClientError,
    },
    /// The member does not answer or refuses the account, so what is there cannot be removed.
    #[error(
        "cluster {cluster} cannot be used, so what the control plane put there cannot be removed: {cause}. Wait until it \
         answers, or give --cluster-kubeconfig if it refuses the account; if it is gone for good, unjoin with --force, which \
         leaves there: {}",
        list(.remains)
    )]
    Unreachable {
        /// The member.
        cluster: String,
        /// Why it does not answer.
        cause: String,
        /// What would stay in the member.
        remains: Vec<String>,
    },
    /// The cluster is in pull mode, and there is no kubeconfig of it.
    #[error(
        "cluster {cluster} is in pull mode, so that the control plane does not dial it: give --cluster-kubeconfig, and \
         everything there is removed. With --force, its agent takes away what policies placed, if it runs, and this stays: {}",
        list(.remains)
    )]
    NotDialled {
        /// The member.
        cluster: String,
        /// What would stay in the member.
        remains: Vec<String>,
    },
    /// Several control planes have left objects in the cluster, and none holds it.
    #[error(
        "cluster {cluster} has objects of several control planes ({}), and none of them holds it: delete them by their label, \
         `kubectl delete KIND -A -l {CONTROL_PLANE}=ID`",
        .owners.join(", ")
    )]
    SeveralOwners {
        /// The given name.
        cluster: String,
        /// Ids of the control planes.
        owners: Vec<String>,
    },
    /// No control plane has put anything into the cluster.
    #[error(
        "cluster {cluster} has neither the lease, the namespace nor objects of a control plane: there is nothing to remove"
    )]
    NotJoined {
        /// The given name.
        cluster: String,
    },
    /// The Cluster object still exists.
    #[error("cluster {cluster} has not left within {} s, and goes on leaving; it waits for {cause}", waited.as_secs())]
    StillLeaving {
        /// The member.
        cluster: String,
        /// Time of the wait.
        waited: Duration,
        /// What its leaving waits for.
        cause: String,
    },
}

/// The first names of a list and the number of the others.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let mut shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        shown.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    shown
}
