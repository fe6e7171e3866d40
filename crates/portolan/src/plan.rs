//! `portolan plan`: what applying manifests would change in every cluster.

pub(crate) mod arguments;
pub(crate) mod files;

use anyhow::{Context, Result, bail};
use portolan_controllers::preview::{Plan, Written, plan};
use portolan_plan::preview::{Action, Change};

use crate::output::HasChanges;
use arguments::Plan as Arguments;

/// Prints the plan; ends with status 2 if something would change.
pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    if let Some(folder) = &arguments.kustomize {
        bail!("portolan runs no kustomize; pipe its output: kubectl kustomize {folder} | portolan plan -f -");
    }
    let manifests = files::read(&arguments.files, arguments.recursive)?;
    if manifests.is_empty() {
        bail!("there is no manifest in {}", arguments.files.join(", "));
    }
    let hub = arguments.hub.hub().await?;
    let plan = plan(&hub.client, hub.namespace_or(arguments.namespace.as_deref()), manifests).await?;
    match arguments.output {
        Some(_) => {
            let text = serde_json::to_string_pretty(&plan).context("cannot print JSON")?;
            anstream::println!("{text}");
        }
        None => anstream::print!("{}", render(&plan)),
    }
    if plan.is_empty() { Ok(()) } else { Err(HasChanges.into()) }
}

fn render(plan: &Plan) -> String {
    let mut text = String::from("On the control plane:\n");
    for change in &plan.hub {
        let word = match change.written {
            Written::Created => "created",
            Written::Configured => "configured",
            Written::Unchanged => "unchanged",
        };
        text.push_str(&format!("  {} {word}\n", change.object));
    }
    for of_cluster in plan.members.changes.chunk_by(|one, other| one.cluster == other.cluster) {
        text.push_str(&format!("In {}: {}\n", of_cluster[0].cluster, counts(of_cluster)));
        of_cluster.iter().for_each(|change| text.push_str(&lines(change)));
    }
    if plan.members.changes.is_empty() {
        text.push_str("In the clusters: nothing changes\n");
    }
    for problem in &plan.members.problems {
        text.push_str(&format!("Problem: {problem}\n"));
    }
    for note in &plan.members.notes {
        text.push_str(&format!("Note: {note}\n"));
    }
    text
}

/// `1 to delete, 2 to change, 3 to create`, without what is zero.
fn counts(changes: &[Change]) -> String {
    let count = |action: Action| changes.iter().filter(|change| change.action == action).count();
    let parts = [(Action::Delete, "delete"), (Action::Update, "change"), (Action::Create, "create")];
    let parts = parts.map(|(action, verb)| (count(action), verb));
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    parts.map(|(count, verb)| format!("{count} to {verb}")).collect::<Vec<_>>().join(", ")
}

fn lines(change: &Change) -> String {
    let mark = match change.action {
        Action::Delete => '-',
        Action::Update => '~',
        Action::Create => '+',
    };
    let mut text = format!("  {mark} {} {}\n", change.kind, change.object);
    for field in &change.fields {
        text.push_str(&format!("      {field}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_controllers::preview::HubChange;
    use portolan_object::ObjectKey;
    use portolan_plan::field_changes::FieldChange;
    use portolan_plan::preview::Preview;

    #[test]
    fn deletions_stand_first_in_each_cluster() {
        let change = |cluster: &str, action, name: &str, fields| Change {
            cluster: cluster.to_owned(),
            action,
            kind: "Deployment".to_owned(),
            object: ObjectKey::namespaced("shop", name),
            fields,
        };
        let replicas =
            FieldChange { path: "spec.replicas".to_owned(), old: Some(2.into()), new: Some(3.into()) };
        let plan = Plan {
            hub: vec![HubChange {
                object: "PropagationPolicy shop/web".to_owned(),
                written: Written::Configured,
            }],
            members: Preview {
                changes: vec![
                    change("eu", Action::Delete, "old", Vec::new()),
                    change("eu", Action::Update, "web", vec![replicas]),
                    change("us", Action::Create, "web", Vec::new()),
                ],
                problems: vec!["p".to_owned()],
                notes: vec!["n".to_owned()],
            },
        };
        assert_eq!(
            render(&plan),
            "On the control plane:\n  PropagationPolicy shop/web configured\n\
             In eu: 1 to delete, 1 to change\n  - Deployment shop/old\n  ~ Deployment shop/web\n      spec.replicas: 2 -> 3\n\
             In us: 1 to create\n  + Deployment shop/web\nProblem: p\nNote: n\n"
        );
    }
}
