//! Examples in the help of commands whose arguments are in [`super`].

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
