//! `portolan why service`: finds the step at which a service breaks between export and connection, and the next step to take.
//!
//! Reads every member and prints the diagnosis of `portolan_plan::discovery::why`. The exit code is that of the worst verdict.

mod known;
mod probe;
mod view;

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use portolan_object::ObjectKey;
use portolan_plan::discovery::why::{Diagnosis, Facts, Finding, Hop, Member, Verdict, consumers, diagnose};
use portolan_plan::federation::why::Meaning;
use portolan_runtime::Client;

use super::arguments::WhyService;
use crate::federation::explain;
use crate::output::{Ended, causes};
use crate::servers::members_with_credentials;
use crate::survey::{lost, read_all};
pub(crate) use view::read as read_member;

/// Exit codes. 2 is that of wrong usage.
mod exit_code {
    pub(super) const BROKEN: u8 = 1;
    pub(super) const DOUBTS: u8 = 3;
    pub(super) const CANNOT_TELL: u8 = 4;
}

/// Prints the diagnosis. What keeps the control plane from being read is an answer too: it cannot be told.
pub(super) async fn run(arguments: WhyService) -> Result<()> {
    let asked = ask(arguments).await;
    let answer = asked.map_err(|error| Ended {
        code: exit_code::CANNOT_TELL,
        message: format!("cannot tell: {}", causes(&error)),
    })?;
    let (service, diagnoses) = match answer {
        Answer::OfClusterSet(service, diagnoses) => (service, diagnoses),
        Answer::OfFederation(service, Meaning::Broken) => {
            let message = format!("service {service} is broken");
            return Err(Ended { code: exit_code::BROKEN, message }.into());
        }
        Answer::OfFederation(..) => return Ok(()),
    };
    for diagnosis in shown(&diagnoses) {
        anstream::print!("{}", render(diagnosis));
    }
    result(&service, &diagnoses)
}

/// The service: `NAME` in the namespace of the command or else of the context, or `NAMESPACE/NAME`.
fn key(name: &str, named: Option<&str>, of_context: &str) -> Result<ObjectKey> {
    let (namespace, name) = match name.split_once('/') {
        None => (named.unwrap_or(of_context), name),
        Some((namespace, rest)) if !namespace.is_empty() && !rest.is_empty() && !rest.contains('/') => {
            if named.is_some_and(|named| named != namespace) {
                bail!("{name} and --namespace name two namespaces");
            }
            (namespace, rest)
        }
        Some(_) => bail!("name the service as NAME or NAMESPACE/NAME, such as shop/web"),
    };
    Ok(ObjectKey::namespaced(namespace, name))
}

/// What is found out.
enum Answer {
    /// A service that is exported and imported, as each consumer sees it.
    OfClusterSet(ObjectKey, Vec<Diagnosis>),
    /// A Service of a Federation, which is found by its public names; the findings are printed.
    OfFederation(ObjectKey, Meaning),
}

async fn ask(arguments: WhyService) -> Result<Answer> {
    let hub = arguments.hub.hub().await?;
    let key = key(&arguments.name, arguments.namespace.as_deref(), &hub.namespace)?;
    let hub = hub.client;
    let mut unread = Vec::new();
    match explain(&hub, &key).await {
        Ok(Some(worst)) => return Ok(Answer::OfFederation(key, worst)),
        Ok(None) => {}
        Err(error) => unread.push(known::unread_federation(error)?),
    }
    let connected = members_with_credentials(&hub, &[]).await?;
    let cannot_read = "cannot read the control plane";
    let mut known = known::of_members(&hub, &mut unread).await.context(cannot_read)?;
    let names: Vec<String> = connected.iter().map(|(name, _)| name.clone()).collect();
    let native = known::native(&hub, &key, &names, &mut unread).await.context(cannot_read)?;
    let policies = known::policies(&hub, &key.namespace, &mut unread).await.context(cannot_read)?;
    let clients: BTreeMap<String, Client> = connected
        .iter()
        .filter_map(|(name, client)| Some((name.clone(), client.as_ref().ok()?.clone())))
        .collect();
    let answers = read_all(connected, |client| view::read(client, key.clone())).await;
    let member = |(name, view): (String, Result<_>)| {
        let known = known.remove(&name).unwrap_or_default();
        let view = view.map_err(|error| if known.is_pull { known::pull(&error) } else { lost(&error) });
        Member { name, known: known.facts, view }
    };
    let properties = known::properties(&hub, &policies, &mut unread).await.context(cannot_read)?;
    let members = answers.into_iter().map(member).collect();
    let mut facts = Facts { service: key, members, policies, properties, native, unread };
    let asking = arguments.from.map_or_else(|| consumers(&facts), |from| vec![from]);
    if arguments.probe {
        for from in &asking {
            let leads_on = diagnose(&facts, from).broken().is_none();
            if let Some(client) = clients.get(from).filter(|_| leads_on) {
                probe::run(client, &mut facts, from, &arguments.probe_image).await?;
            }
        }
    }
    let mut diagnoses: Vec<Diagnosis> = asking.iter().map(|from| diagnose(&facts, from)).collect();
    if diagnoses.is_empty() {
        // No client cluster is known: what the exporters lack is said nevertheless.
        diagnoses.push(diagnose(&facts, "any cluster"));
    }
    Ok(Answer::OfClusterSet(facts.service, diagnoses))
}

/// The diagnoses to print: one, if the fault is in the exporting clusters and so the same for all.
fn shown(diagnoses: &[Diagnosis]) -> &[Diagnosis] {
    let common = diagnoses.iter().position(Diagnosis::is_broken_everywhere);
    common.and_then(|index| diagnoses.get(index..=index)).unwrap_or(diagnoses)
}

/// The exit code of the worst verdict, with its clusters.
fn result(service: &ObjectKey, diagnoses: &[Diagnosis]) -> Result<()> {
    let worst = diagnoses.iter().map(Diagnosis::verdict).max().unwrap_or(Verdict::CannotTell);
    let (code, message) = match worst {
        Verdict::Works => return Ok(()),
        Verdict::WorksWithDoubts => (exit_code::DOUBTS, String::new()),
        Verdict::CannotTell => (exit_code::CANNOT_TELL, String::new()),
        Verdict::Broken => {
            let broken = diagnoses.iter().filter(|one| one.broken().is_some());
            let clusters: Vec<&str> = broken.map(|one| one.from.as_str()).collect();
            let everywhere = diagnoses.iter().any(Diagnosis::is_broken_everywhere);
            let place =
                if everywhere { String::new() } else { format!(" for clients in {}", clusters.join(", ")) };
            (exit_code::BROKEN, format!("service {service} is broken{place}"))
        }
    };
    Err(Ended { code, message }.into())
}

/// The headline, a line for each finding, and the next step where something is wrong.
fn render(diagnosis: &Diagnosis) -> String {
    let mut text = format!("{}\n", diagnosis.headline());
    for hop in Hop::ALL {
        let found: Vec<&Finding> =
            diagnosis.path.iter().filter(|(walked, _)| *walked == hop).map(|(_, finding)| finding).collect();
        if found.is_empty() {
            text.push_str(&format!("  · {hop:<10}  not looked at\n"));
        }
        for finding in found {
            let (mark, words, next) = match finding {
                Finding::Good(words) => ('✓', words.as_str(), None),
                Finding::NotSeen(words) => ('·', words.as_str(), None),
                Finding::Warning { cause, next } => ('!', cause.as_str(), Some(next)),
                Finding::Unclear { cause, next } => ('?', cause.as_str(), Some(next)),
                Finding::Broken { cause, next } => ('✗', cause.as_str(), Some(next)),
            };
            text.push_str(&format!("  {mark} {hop:<10}  {words}\n"));
            if let Some(next) = next {
                text.push_str(&format!("                next: {next}\n"));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnosis(from: &str, path: Vec<(Hop, Finding)>) -> Diagnosis {
        Diagnosis { service: "shop/web".to_owned(), from: from.to_owned(), path }
    }

    fn broken(hop: Hop) -> (Hop, Finding) {
        (hop, Finding::Broken { cause: "no endpoint is ready".to_owned(), next: "start one".to_owned() })
    }

    #[test]
    fn every_hop_has_a_line_and_a_broken_one_says_what_to_do() {
        let path = vec![(Hop::Export, Finding::Good("exported by a".to_owned())), broken(Hop::Endpoints)];
        assert_eq!(
            render(&diagnosis("b", path)),
            "shop/web: broken at endpoints: no endpoint is ready\n  \
             · link        not looked at\n  \
             ✓ export      exported by a\n  \
             ✗ endpoints   no endpoint is ready\n                \
             next: start one\n  \
             · set         not looked at\n  \
             · import      not looked at\n  \
             · service     not looked at\n  \
             · slices      not looked at\n  \
             · dns         not looked at\n  \
             · connection  not looked at\n"
        );
    }

    #[test]
    fn a_service_is_named_with_or_without_its_namespace() {
        let cases = [
            (("web", None), Ok("of-context/web")),
            (("web", Some("shop")), Ok("shop/web")),
            (("shop/web", None), Ok("shop/web")),
            (("shop/web", Some("shop")), Ok("shop/web")),
            (("shop/web", Some("other")), Err("two namespaces")),
            (("/web", None), Err("NAMESPACE/NAME")),
            (("shop/web/x", None), Err("NAMESPACE/NAME")),
        ];
        for ((name, named), want) in cases {
            let got = key(name, named, "of-context");
            match want {
                Ok(want) => assert_eq!(got.expect("a name").to_string(), want),
                Err(text) => {
                    let error = got.expect_err(name).to_string();
                    assert!(error.contains(text), "{name}: {error}");
                }
            }
        }
    }

    #[test]
    fn the_exit_code_is_that_of_the_worst_verdict() {
        let good = || (Hop::Connection, Finding::Good("a Pod connects".to_owned()));
        let doubt =
            || (Hop::Import, Finding::Warning { cause: "they differ".to_owned(), next: "look".to_owned() });
        let works = || diagnosis("a", vec![good()]);
        let cases = [
            ("works", vec![works()], None),
            ("doubts", vec![works(), diagnosis("b", vec![doubt(), good()])], Some((3, ""))),
            ("not tried", vec![works(), diagnosis("b", vec![])], Some((4, ""))),
            (
                "broken for one",
                vec![works(), diagnosis("b", vec![broken(Hop::Slices)])],
                Some((1, "service shop/web is broken for clients in b")),
            ),
            (
                "broken for all",
                vec![diagnosis("b", vec![broken(Hop::Export)])],
                Some((1, "service shop/web is broken")),
            ),
        ];
        for (name, diagnoses, want) in cases {
            let ended = result(&ObjectKey::namespaced("shop", "web"), &diagnoses);
            let ended = ended.err().and_then(|error| error.downcast::<Ended>().ok());
            let ended = ended.as_ref().map(|ended| (ended.code, ended.message.as_str()));
            assert_eq!(ended, want, "{name}");
        }
    }
}
