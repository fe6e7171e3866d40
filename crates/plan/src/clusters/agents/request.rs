//! Which certificate requests of agents are approved (karmada pkg/controllers/certificate/approver).
//!
//! The requester and its groups are what the API server found, so that only the subject of the request is a claim. A token
//! that is bound to a cluster gets certificates for that cluster only; a token that is not bound, for a name that no cluster
//! has. Karmada approves any name for any token.

use std::fmt;

use portolan_api::agents::{self, GROUP, ROLE_MAKER, SIGNER, UNBOUND_TOKENS};
use portolan_api::cluster::is_name;

/// Usages without which a client certificate is of no use.
const NEEDED_USAGES: [&str; 2] = ["digital signature", "client auth"];
/// A usage that may be added: keys of RSA have it.
const FURTHER_USAGE: &str = "key encipherment";

/// The subject of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// Common names.
    pub common_names: Vec<String>,
    /// Organizations.
    pub organizations: Vec<String>,
    /// Whether the request names hosts, addresses, URIs or mail addresses.
    pub has_alternative_names: bool,
}

/// A certificate request and who made it.
#[derive(Debug, Clone, Default)]
pub struct Request<'a> {
    /// The user who asks.
    pub user: &'a str,
    /// Its groups.
    pub groups: &'a [&'a str],
    /// Who shall sign.
    pub signer: &'a str,
    /// What the key may be used for.
    pub usages: &'a [&'a str],
    /// The subject; `None` if the request cannot be read.
    pub subject: Option<Subject>,
}

/// What the control plane knows about the cluster that a request names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Known {
    /// The Cluster exists.
    pub has_cluster: bool,
    /// Another user has a certificate for the name already.
    pub is_taken: bool,
}

/// The decision about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is not a request of an agent or of a registration: others decide.
    Foreign,
    /// The agent of this cluster gets its certificate.
    Agent {
        /// Name of the cluster.
        cluster: String,
        /// Whether the agent renews the certificate by which it asks.
        is_renewal: bool,
    },
    /// `karmadactl register` gets the certificate by which it makes the roles of an agent.
    RoleMaker,
    /// It is denied.
    Denied(Denial),
}

/// Why a request is denied. The text has the cause and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial {
    /// Another signer.
    Signer(String),
    /// The request cannot be read.
    Unreadable,
    /// Other groups than that of agents.
    Organizations(Vec<String>),
    /// The request names hosts or addresses.
    AlternativeNames,
    /// Other usages.
    Usages(Vec<String>),
    /// The user is not one of an agent.
    CommonName(Vec<String>),
    /// The name is not one of a cluster.
    ClusterName(String),
    /// The token is bound to another cluster.
    OtherCluster {
        /// Clusters of the token.
        bound: Vec<String>,
        /// The requested one.
        wanted: String,
    },
    /// A token that is bound to a cluster may not make roles.
    BoundRoleMaker(Vec<String>),
    /// The token is not bound, and the cluster exists.
    NameTaken(String),
    /// An agent asks for another agent.
    OtherAgent {
        /// The cluster of the agent.
        own: String,
        /// The requested one.
        wanted: String,
    },
    /// The cluster of the agent has left.
    Left(String),
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signer(signer) => {
                write!(f, "the signer {signer:?} signs nothing for agents: ask for {SIGNER}")
            }
            Self::Unreadable => f.write_str(
                "spec.request is not a certificate request (PKCS #10, PEM) with a valid signature: make a new one, as \
                 `portolan register` does",
            ),
            Self::Organizations(found) => write!(
                f,
                "the organizations of an agent are [{GROUP}], not [{}]: an agent has no other groups",
                found.join(", ")
            ),
            Self::AlternativeNames => f.write_str(
                "the certificate of an agent has no alternative names: ask without DNS names, addresses, URIs and mail \
                 addresses",
            ),
            Self::Usages(found) => write!(
                f,
                "the usages of an agent's certificate are {}, and {FURTHER_USAGE} if wanted, not [{}]",
                NEEDED_USAGES.join(", "),
                found.join(", ")
            ),
            Self::CommonName(found) => write!(
                f,
                "the common name of an agent is {}, not [{}]",
                agents::user("CLUSTER"),
                found.join(", ")
            ),
            Self::ClusterName(name) => write!(
                f,
                "{name:?} is not a name of a cluster: use lower-case letters, digits and hyphens, at most 48 characters"
            ),
            Self::OtherCluster { bound, wanted } => write!(
                f,
                "the token was made for cluster {}, not for {wanted}: `portolan token create --cluster {wanted}` makes one",
                bound.join(", ")
            ),
            Self::BoundRoleMaker(bound) => write!(
                f,
                "the token was made for cluster {}, and may make no roles: use `portolan register`, or a token without \
                 --cluster",
                bound.join(", ")
            ),
            Self::NameTaken(name) => write!(
                f,
                "cluster {name} exists already, and the token is not bound to it: choose another name, or let \
                 `portolan token create --cluster {name}` make a token for it"
            ),
            Self::OtherAgent { own, wanted } => {
                write!(f, "the agent of cluster {own} gets no certificate for cluster {wanted}")
            }
            Self::Left(name) => write!(
                f,
                "cluster {name} has left the federation: `portolan token create --cluster {name}` makes a token by which it \
                 can register again"
            ),
        }
    }
}

impl Denial {
    /// Reason of the condition, in CamelCase.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Signer(_) => "SignerNotAllowed",
            Self::Unreadable => "RequestUnreadable",
            Self::Organizations(_) => "OrganizationNotAllowed",
            Self::AlternativeNames => "AlternativeNamesNotAllowed",
            Self::Usages(_) => "UsagesNotAllowed",
            Self::CommonName(_) => "CommonNameNotAllowed",
            Self::ClusterName(_) => "ClusterNameInvalid",
            Self::OtherCluster { .. } | Self::BoundRoleMaker(_) => "TokenOfAnotherCluster",
            Self::NameTaken(_) => "ClusterExists",
            Self::OtherAgent { .. } => "AgentOfAnotherCluster",
            Self::Left(_) => "ClusterLeft",
        }
    }
}

/// Decides about a request. `known` answers for the cluster that the request names.
pub fn decide(request: &Request<'_>, known: impl FnOnce(&str) -> Known) -> Verdict {
    let is_registration = request
        .groups
        .iter()
        .any(|group| *group == UNBOUND_TOKENS || agents::cluster_of_token_group(group).is_some());
    let own = agents::cluster_of_user(request.user);
    if !is_registration && own.is_none() {
        return Verdict::Foreign;
    }
    match check(request, own, known) {
        Ok(verdict) => verdict,
        Err(denial) => Verdict::Denied(denial),
    }
}

fn check(
    request: &Request<'_>,
    own: Option<&str>,
    known: impl FnOnce(&str) -> Known,
) -> Result<Verdict, Denial> {
    let user = common_name(request)?;
    let bound: Vec<String> = request
        .groups
        .iter()
        .filter_map(|group| agents::cluster_of_token_group(group))
        .map(str::to_owned)
        .collect();
    if user == ROLE_MAKER {
        return match own {
            Some(own) => Err(Denial::OtherAgent { own: own.to_owned(), wanted: "rbac-generator".to_owned() }),
            None if !bound.is_empty() => Err(Denial::BoundRoleMaker(bound)),
            None => Ok(Verdict::RoleMaker),
        };
    }
    let Some(wanted) = agents::cluster_of_user(user) else {
        return Err(Denial::CommonName(vec![user.to_owned()]));
    };
    if !is_name(wanted) {
        return Err(Denial::ClusterName(wanted.to_owned()));
    }
    let cluster = wanted.to_owned();
    if let Some(own) = own {
        return match own == wanted {
            false => Err(Denial::OtherAgent { own: own.to_owned(), wanted: cluster }),
            true if !known(wanted).has_cluster => Err(Denial::Left(cluster)),
            true => Ok(Verdict::Agent { cluster, is_renewal: true }),
        };
    }
    if bound.is_empty() {
        let Known { has_cluster, is_taken } = known(wanted);
        if has_cluster || is_taken {
            return Err(Denial::NameTaken(cluster));
        }
    } else if !bound.contains(&cluster) {
        return Err(Denial::OtherCluster { bound, wanted: cluster });
    }
    Ok(Verdict::Agent { cluster, is_renewal: false })
}

/// The user that a well-formed request names.
fn common_name<'a>(request: &'a Request<'_>) -> Result<&'a str, Denial> {
    if request.signer != SIGNER {
        return Err(Denial::Signer(request.signer.to_owned()));
    }
    let subject = request.subject.as_ref().ok_or(Denial::Unreadable)?;
    if subject.organizations != [GROUP] {
        return Err(Denial::Organizations(subject.organizations.clone()));
    }
    if subject.has_alternative_names {
        return Err(Denial::AlternativeNames);
    }
    let has = |usage: &&str| request.usages.contains(usage);
    let is_known = |usage: &&str| NEEDED_USAGES.contains(usage) || *usage == FURTHER_USAGE;
    if !NEEDED_USAGES.iter().all(has) || !request.usages.iter().all(is_known) {
        return Err(Denial::Usages(request.usages.iter().map(|usage| (*usage).to_owned()).collect()));
    }
    match &subject.common_names[..] {
        [name] => Ok(name),
        names => Err(Denial::CommonName(names.to_vec())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USAGES: &[&str] = &["digital signature", "client auth"];

    fn subject(user: &str) -> Subject {
        Subject {
            common_names: vec![user.to_owned()],
            organizations: vec![GROUP.to_owned()],
            has_alternative_names: false,
        }
    }

    /// The verdict on a request of `user` with `groups` for the agent `wanted`; the Cluster `eu` exists.
    fn verdict(user: &str, groups: &[&str], wanted: &str) -> Verdict {
        let request =
            Request { user, groups, signer: SIGNER, usages: USAGES, subject: Some(subject(wanted)) };
        decide(&request, |name| Known { has_cluster: name == "eu", is_taken: name == "taken" })
    }

    #[test]
    fn who_gets_the_certificate_of_which_agent() {
        let bound = agents::bound_token_group("eu");
        let bound = &["system:bootstrappers", bound.as_str()][..];
        let unbound = &["system:bootstrappers", UNBOUND_TOKENS][..];
        let token = "system:bootstrap:abcdef";
        let agent = |cluster: &str, is_renewal| Verdict::Agent { cluster: cluster.to_owned(), is_renewal };
        let denied = Verdict::Denied;
        let other = |own: &str, wanted: &str| {
            denied(Denial::OtherAgent { own: own.to_owned(), wanted: wanted.to_owned() })
        };
        let bound_to = |wanted: &str| {
            denied(Denial::OtherCluster { bound: vec!["eu".to_owned()], wanted: wanted.to_owned() })
        };
        let cases = [
            ("bound, its cluster", token, bound, "system:karmada:agent:eu", agent("eu", false)),
            ("bound, another", token, bound, "system:karmada:agent:us", bound_to("us")),
            ("bound, roles", token, bound, ROLE_MAKER, denied(Denial::BoundRoleMaker(vec!["eu".to_owned()]))),
            ("unbound, new", token, unbound, "system:karmada:agent:us", agent("us", false)),
            (
                "unbound, existing",
                token,
                unbound,
                "system:karmada:agent:eu",
                denied(Denial::NameTaken("eu".to_owned())),
            ),
            (
                "unbound, registered by another",
                token,
                unbound,
                "system:karmada:agent:taken",
                denied(Denial::NameTaken("taken".to_owned())),
            ),
            ("unbound, roles", token, unbound, ROLE_MAKER, Verdict::RoleMaker),
            ("renewal", "system:karmada:agent:eu", &[GROUP], "system:karmada:agent:eu", agent("eu", true)),
            (
                "another agent",
                "system:karmada:agent:us",
                &[GROUP],
                "system:karmada:agent:eu",
                other("us", "eu"),
            ),
            (
                "an agent makes roles",
                "system:karmada:agent:us",
                &[GROUP],
                ROLE_MAKER,
                other("us", "rbac-generator"),
            ),
            (
                "renewal after leaving",
                "system:karmada:agent:us",
                &[GROUP],
                "system:karmada:agent:us",
                denied(Denial::Left("us".to_owned())),
            ),
            ("a person", "admin", &["system:masters"], "system:karmada:agent:eu", Verdict::Foreign),
            ("a kubelet", token, &["system:bootstrappers"], "system:node:a", Verdict::Foreign),
            ("roles of roles", ROLE_MAKER, &[GROUP], ROLE_MAKER, Verdict::Foreign),
            (
                "an administrator",
                token,
                bound,
                "kubernetes-admin",
                denied(Denial::CommonName(vec!["kubernetes-admin".to_owned()])),
            ),
            ("no name", token, bound, "system:karmada:agent:", denied(Denial::ClusterName(String::new()))),
        ];
        for (name, user, groups, wanted, want) in cases {
            assert_eq!(verdict(user, groups, wanted), want, "{name}");
        }
    }

    #[test]
    fn a_forged_request_is_denied_with_cause_and_cure() {
        let bound = agents::bound_token_group("eu");
        let groups = &[bound.as_str()][..];
        let user = "system:karmada:agent:eu";
        let request = |change: &dyn Fn(&mut Request<'_>)| {
            let mut request = Request {
                user: "system:bootstrap:abcdef",
                groups,
                signer: SIGNER,
                usages: USAGES,
                subject: Some(subject(user)),
            };
            change(&mut request);
            decide(&request, |_| Known::default())
        };
        let organization = |name: &str| Subject { organizations: vec![name.to_owned()], ..subject(user) };
        let cases: [(&str, Verdict); 7] = [
            ("SignerNotAllowed", request(&|one| one.signer = "kubernetes.io/kubelet-serving")),
            ("RequestUnreadable", request(&|one| one.subject = None)),
            ("OrganizationNotAllowed", request(&|one| one.subject = Some(organization("system:masters")))),
            (
                "OrganizationNotAllowed",
                request(&|one| {
                    one.subject = Some(Subject {
                        organizations: vec![GROUP.to_owned(), "system:masters".to_owned()],
                        ..subject(user)
                    });
                }),
            ),
            (
                "AlternativeNamesNotAllowed",
                request(&|one| one.subject = Some(Subject { has_alternative_names: true, ..subject(user) })),
            ),
            (
                "UsagesNotAllowed",
                request(&|one| one.usages = &["digital signature", "client auth", "server auth"]),
            ),
            (
                "CommonNameNotAllowed",
                request(&|one| {
                    one.subject = Some(Subject {
                        common_names: vec![user.to_owned(), "admin".to_owned()],
                        ..subject(user)
                    });
                }),
            ),
        ];
        for (want, verdict) in cases {
            let Verdict::Denied(denial) = verdict else { panic!("{want}: {verdict:?}") };
            assert_eq!(denial.reason(), want, "{denial}");
        }
    }
}
