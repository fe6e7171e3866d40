//! Examples in the help of commands: of those with arguments in [`super`], and of all that have none of their own.

use clap::Command;

/// The command with the examples of [`FURTHER`] in the help of each subcommand.
pub(crate) fn add(root: Command) -> Command {
    FURTHER.iter().fold(root, |root, (path, examples)| {
        let names: Vec<&str> = path.split(' ').collect();
        at(root, &names, examples)
    })
}

/// Sets the examples of the subcommand at `names`, unless this build does not have it.
fn at(command: Command, names: &[&str], examples: &'static str) -> Command {
    match names {
        [] => command.after_help(examples),
        [name, rest @ ..] if command.find_subcommand(name).is_some() => {
            command.mut_subcommand(*name, |below| at(below, rest, examples))
        }
        _ => command,
    }
}

pub(super) const JOIN: &str = "\
Examples:
  # What would be created, in the cluster and in the control plane
  portolan join eu --cluster-kubeconfig eu.config --dry-run

  # Join a cluster, with its place
  portolan join eu --cluster-kubeconfig eu.config --cluster-region europe --cluster-zones eu-a,eu-b

  # Take it over from a control plane that is gone for good
  portolan join eu --cluster-kubeconfig eu.config --take-over";

pub(super) const REGISTER: &str = "\
Examples:
  # On the control plane: print the command for a cluster that the control plane cannot dial
  portolan token create --cluster eu

  # Where the cluster can be reached: run it. The agent may place Deployments and ConfigMaps
  portolan register 192.0.2.10:6443 --token abcdef.0123456789abcdef \\
    --discovery-token-ca-cert-hash sha256:… --cluster-name eu \\
    --place deployments.apps,configmaps --kubeconfig eu.config

  # In the cluster: start the agent
  kubectl --kubeconfig eu.config apply -f deploy/agent/pull.yaml";

pub(super) const TOKEN_CREATE: &str = "\
Examples:
  # The command that registers one cluster, with the rights for what policies place now
  portolan token create --cluster eu

  # A token for any new cluster, for an hour
  portolan token create --ttl 1h --print-register-command";

pub(super) const UNJOIN: &str = "\
Examples:
  # What would be deleted there
  portolan unjoin eu --dry-run

  # The cluster is as it was before it joined
  portolan unjoin eu --cluster-kubeconfig eu.config

  # A cluster that does not answer any more; what stays there is listed
  portolan unjoin eu --force

  # A cluster of a control plane that is gone, with everything that policies placed there
  portolan unjoin eu --only-cluster --propagated --cluster-kubeconfig eu.config";

pub(super) const RELEASE: &str = "\
Examples:
  # What is held, and why
  portolan get cluster eu -o jsonpath='{.status.conditions[?(@.type==\"DeletionsHeld\")].message}'

  # Let it be deleted
  portolan release eu";

pub(super) const PERMISSIONS: &str = "\
Examples:
  # The role that is enough for what is placed in a cluster
  portolan cluster permissions eu

  # Replace the rights there by these
  portolan cluster permissions eu --apply --cluster-kubeconfig eu.config";

pub(super) const CLUSTER_SET: &str = "\
Examples:
  # Two clusters in which every exported service is found under the same name
  portolan clusterset create prod
  portolan clusterset add prod eu us
  portolan clusterset list

  # Without one of them
  portolan clusterset remove prod us";

pub(super) const BACKUP: &str = "\
Examples:
  # While the server runs, as its user
  portolan backup /backup/portolan.tar --dir /var/lib/portolan";

pub(super) const RESTORE: &str = "\
Examples:
  # Into an empty directory; then start the server with the flags that it had
  portolan restore /backup/portolan.tar --dir /var/lib/portolan

  # In the place of a state that is there; it is kept beside the new one
  portolan restore /backup/portolan.tar --dir /var/lib/portolan --force";

pub(super) const STORAGE_MIGRATE: &str = "\
Examples:
  # With a new key as the first one of the configuration; then the old one can be removed from it
  portolan storage migrate --dir /var/lib/portolan --encryption-provider-config encryption.yaml";

/// Path of a subcommand, and its examples.
const FURTHER: &[(&str, &str)] = &[
    (
        "server",
        "\
Examples:
  # A control plane for this machine only
  portolan server --dir /var/lib/portolan

  # For clients elsewhere, under the name that is in their kubeconfig, with metrics for Prometheus
  portolan server --dir /var/lib/portolan --listen 0.0.0.0:6443 --advertise-address 192.0.2.10 \\
    --tls-san portolan.example.com --metrics-listen 127.0.0.1:9090

  # Controllers on a kube-apiserver that runs already
  portolan server --kubeconfig hub.config",
    ),
    (
        "playground",
        "\
Examples:
  # Two clusters, member1 and member2, that are a cluster set
  portolan playground --dir /tmp/play --clusterset demo

  # In another terminal
  kubectl --kubeconfig /tmp/play/portolan.config get clusters
  kubectl --kubeconfig /tmp/play/members.config --context member1 get pods -A

  # Clusters of your own
  portolan playground --dir /tmp/play --config examples/tolerated-import/playground.yaml",
    ),
    (
        "playground cut",
        "\
Examples:
  # Pods of member1 and member2 do not reach each other; the control plane still reaches both
  portolan playground cut member1 member2 --dir /tmp/play",
    ),
    (
        "playground restore",
        "\
Examples:
  # After `portolan playground cut`
  portolan playground restore member1 member2 --dir /tmp/play",
    ),
    (
        "playground links",
        "\
Examples:
  # Which clusters are cut apart
  portolan playground links --dir /tmp/play",
    ),
    (
        "playground stop",
        "\
Examples:
  # What happens when a cluster is gone? Its API server and its pods end
  portolan playground stop member1 --dir /tmp/play",
    ),
    (
        "playground start",
        "\
Examples:
  # After `portolan playground stop`
  portolan playground start member1 --dir /tmp/play",
    ),
    (
        "playground pause",
        "\
Examples:
  # What happens when a cluster does not answer? Its API server hangs, its pods go on
  portolan playground pause member1 --dir /tmp/play",
    ),
    (
        "playground resume",
        "\
Examples:
  # After `portolan playground pause`
  portolan playground resume member1 --dir /tmp/play",
    ),
    (
        "playground members",
        "\
Examples:
  # Which members run, and which are stopped or paused
  portolan playground members --dir /tmp/play",
    ),
    (
        "quickstart",
        "\
Examples:
  # Two clusters, a Service of one answered in the other, and everything is gone again
  portolan quickstart

  # Look around afterwards
  portolan quickstart --dir /tmp/play --keep",
    ),
    (
        "agent",
        "\
Examples:
  # In a Pod of the cluster, as the objects in deploy/agent start it
  portolan agent --kubeconfig in-cluster --dns-listen 0.0.0.0:1053 --http-listen 0.0.0.0:8053

  # Beside the cluster, to try it
  portolan agent --kubeconfig eu.config
  dig @127.0.0.1 -p 1053 web.shop.svc.clusterset.local",
    ),
    (
        "dns",
        "\
Examples:
  # Names of the cluster set for the pods of a cluster
  portolan dns install --kubeconfig eu.config

  # Public records of a federated Service
  portolan dns records web -n shop",
    ),
    (
        "dns install",
        "\
Examples:
  # What would change in the ConfigMap of CoreDNS
  portolan dns install --kubeconfig eu.config --dry-run

  # Forward the zone to the agent's Service
  portolan dns install --kubeconfig eu.config",
    ),
    (
        "dns uninstall",
        "\
Examples:
  # CoreDNS as it was
  portolan dns uninstall --kubeconfig eu.config",
    ),
    (
        "dns federation",
        "\
Examples:
  # Pods in a cluster resolve web.shop.myfed, in their own cluster first
  portolan dns federation myfed --domain example.com --region europe --zone eu-a --kubeconfig eu.config

  # Not any more
  portolan dns federation myfed --remove --kubeconfig eu.config",
    ),
    (
        "dns records",
        "\
Examples:
  # What clients outside get, and what is published
  portolan dns records web -n shop",
    ),
    (
        "token",
        "\
Examples:
  # The command that registers a cluster, which tokens there are, and an end to one of them
  portolan token create --cluster eu
  portolan token list
  portolan token delete abcdef",
    ),
    (
        "token list",
        "\
Examples:
  # Which tokens there are, for what, and until when
  portolan token list",
    ),
    (
        "token delete",
        "\
Examples:
  # By its id, the six letters before the dot
  portolan token delete abcdef",
    ),
    (
        "cluster",
        "\
Examples:
  # The role that is enough for what is placed in a cluster
  portolan cluster permissions eu",
    ),
    (
        "clusterset create",
        "\
Examples:
  # A set without clusters
  portolan clusterset create prod",
    ),
    (
        "clusterset add",
        "\
Examples:
  # Services that eu exports are found in us, and the other way round
  portolan clusterset add prod eu us",
    ),
    (
        "clusterset remove",
        "\
Examples:
  # What us imported goes, and what it exported goes elsewhere
  portolan clusterset remove prod us",
    ),
    (
        "clusterset delete",
        "\
Examples:
  # Once no cluster is in it
  portolan clusterset delete prod",
    ),
    (
        "clusterset list",
        "\
Examples:
  # Sets with their clusters
  portolan clusterset list",
    ),
    (
        "top",
        "\
Examples:
  # Of all members
  portolan top nodes
  portolan top pods -n shop",
    ),
    (
        "drain",
        "\
Examples:
  # All services of a cluster, or one of them
  portolan drain cluster eu
  portolan drain service web -n shop --cluster eu",
    ),
    (
        "undrain",
        "\
Examples:
  # All services of a cluster, or one of them
  portolan undrain cluster eu
  portolan undrain service web -n shop --cluster eu",
    ),
    (
        "drain cluster",
        "\
Examples:
  # Before maintenance: clients in other clusters use the endpoints of other clusters
  portolan drain cluster eu",
    ),
    (
        "drain service",
        "\
Examples:
  # One service only
  portolan drain service web -n shop --cluster eu",
    ),
    (
        "undrain cluster",
        "\
Examples:
  # After maintenance
  portolan undrain cluster eu",
    ),
    (
        "undrain service",
        "\
Examples:
  # After `portolan drain service`
  portolan undrain service web -n shop --cluster eu",
    ),
    (
        "uncordon",
        "\
Examples:
  # After `portolan cordon eu`
  portolan uncordon eu",
    ),
    (
        "services",
        "\
Examples:
  # Of all namespaces: where they are exported, with how many endpoints, and where they are imported
  portolan services -A

  # Changes as they happen
  portolan services -n shop -w",
    ),
    (
        "services netpol",
        "\
Examples:
  # For a service with pods that only let known clients in
  portolan services netpol web -n shop",
    ),
    (
        "services migrate",
        "\
Examples:
  # Keep the import of another implementation, with its name and address
  portolan services migrate web -n shop",
    ),
    (
        "why service",
        "\
Examples:
  # From its export to a connection
  portolan why service web -n shop --from us

  # With a connection from a pod in that cluster
  portolan why service web -n shop --from us --probe",
    ),
    (
        "federate enable",
        "\
Examples:
  # Give the kind Boat a federated form
  portolan federate enable boats.example.com

  # What would be created
  portolan federate enable boats.example.com -o yaml",
    ),
    (
        "federate disable",
        "\
Examples:
  # Federated objects of the kind are not propagated any more
  portolan federate disable boats.example.com",
    ),
    (
        "federation init",
        "\
Examples:
  # Make the control plane a federation API, with the context federation-cluster for it
  portolan federation init myfed",
    ),
    (
        "federation status",
        "\
Examples:
  # Clusters, Services and zones of every federation
  portolan federation status",
    ),
    (
        "federation take-over",
        "\
Examples:
  # What would change in the members
  portolan federation take-over --from-kubefed host.config --dry-run

  # Take its clusters and federated objects over
  portolan federation take-over --from-kubefed host.config",
    ),
    (
        "storage",
        "\
Examples:
  # After a change of the encryption configuration
  portolan storage migrate --dir /var/lib/portolan --encryption-provider-config encryption.yaml",
    ),
];
