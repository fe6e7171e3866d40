//! The condition that tells clients of an import which exporters get no traffic although their endpoints are known, and why.

use std::collections::BTreeMap;

use portolan_api::conditions::multicluster as reasons;
use portolan_api::meta::Condition;

use super::problem::ImportProblem;
use super::routing::Routing;
use super::usage::{Allotment, NotUsed, Usage};

/// Exporters that are named, at most.
const MAX_NAMED: usize = 20;

/// The exporters of an import, and what is done with them.
#[derive(Debug, Clone, Copy)]
pub struct ExportersUsed<'a> {
    /// What facts, policies and users say.
    pub routing: &'a Routing,
    /// What is done with the endpoints: an exporter that alone has ready endpoints stays in use.
    pub allotted: &'a BTreeMap<String, Allotment>,
    /// The exporters of the import.
    pub exporters: &'a [String],
}

impl ExportersUsed<'_> {
    /// The condition of an import with the conditions `before`. `None` if all exporters are used, and always were.
    pub fn told(&self, before: &[Condition], now: &str) -> Option<Condition> {
        let kind = reasons::EXPORTERS_USED;
        let (outside, inside): (Vec<&String>, Vec<&String>) =
            self.exporters.iter().partition(|exporter| self.routing.is_outside(exporter));
        let not_used: BTreeMap<&String, &NotUsed> = inside
            .iter()
            .filter_map(|exporter| Some((*exporter, self.routing.not_used.get(*exporter)?)))
            .collect();
        let mut said: Vec<String> =
            not_used.iter().map(|(cluster, not_used)| self.left_out(cluster, not_used)).collect();
        said.extend(self.placed(&inside, &not_used));
        let boundary = self.routing.boundaries.join(" and ");
        said.extend(
            outside
                .iter()
                .map(|cluster| format!("{cluster} is outside the boundary of TrafficPolicy {boundary}")),
        );
        let reason = match () {
            () if inside.is_empty() && !outside.is_empty() => reasons::OUTSIDE_BOUNDARY,
            () if not_used
                .keys()
                .any(|cluster| self.usage(cluster).is_left_out() || self.is_moving(cluster)) =>
            {
                reasons::EXPORTER_NOT_USED
            }
            () if !not_used.is_empty() => reasons::NO_OTHER_ENDPOINT,
            () if !said.is_empty() => reasons::AS_POLICY_SAYS,
            () => reasons::ALL_USED,
        };
        let is_true = matches!(reason, reasons::AS_POLICY_SAYS | reasons::ALL_USED);
        if reason == reasons::ALL_USED {
            let is_known = before.iter().any(|condition| condition.kind == kind);
            let message = "the ready endpoints of all exporting clusters get traffic";
            return is_known.then(|| Condition::new(kind, true, reason, message.to_owned(), now));
        }
        Some(Condition::new(kind, is_true, reason, listed(&said), now))
    }

    fn usage(&self, cluster: &str) -> Usage {
        self.allotted.get(cluster).copied().unwrap_or_default().usage
    }

    fn is_moving(&self, cluster: &str) -> bool {
        self.routing.moving.contains_key(cluster)
    }

    /// What is done with an exporter that is to be left out.
    fn left_out(&self, cluster: &str, not_used: &NotUsed) -> String {
        let NotUsed { usage, since, cause } = not_used;
        match self.usage(cluster) {
            _ if self.is_moving(cluster) => {
                format!("traffic moves away from {cluster} (since {since}): {cause}")
            }
            found if found.is_left_out() => format!("{cluster} is {usage} (since {since}): {cause}"),
            _ => {
                format!(
                    "{cluster} stays in use, because no other cluster has a ready endpoint (since {since}): {cause}"
                )
            }
        }
    }

    /// Exporters that a policy keeps back or uses in part.
    fn placed(&self, inside: &[&String], not_used: &BTreeMap<&String, &NotUsed>) -> Vec<String> {
        let policy = &self.routing.policy;
        let placed = inside.iter().filter(|exporter| !not_used.contains_key(**exporter));
        let text = |cluster: &&&String| match self.usage(cluster) {
            _ if self.is_moving(cluster) => {
                Some(format!("the traffic of {cluster} changes step by step (TrafficPolicy {policy})"))
            }
            Usage::Standby if self.routing.weight(cluster) == 0 => {
                Some(format!("{cluster} is on standby: TrafficPolicy {policy} gives it the weight 0"))
            }
            Usage::Standby => {
                Some(format!("{cluster} is on standby: nearer endpoints are ready (TrafficPolicy {policy})"))
            }
            Usage::Part => Some(format!(
                "{cluster} is used in part, with the weight {} of TrafficPolicy {policy}",
                self.routing.weight(cluster)
            )),
            _ => None,
        };
        placed.filter_map(|cluster| text(&cluster)).collect()
    }
}

fn listed(said: &[String]) -> String {
    let named = said.get(..MAX_NAMED).unwrap_or(said).join("; ");
    match said.len().saturating_sub(MAX_NAMED) {
        0 => named,
        more => format!("{named}; and {more} more"),
    }
}

/// What the owners of the exports have to know: the exporters that get no traffic.
pub fn problems(
    routing: &Routing,
    allotted: &BTreeMap<String, Allotment>,
) -> impl Iterator<Item = ImportProblem> {
    let is_left_out =
        |cluster: &str| allotted.get(cluster).is_some_and(|allotment| allotment.usage.is_left_out());
    let left_out = routing.not_used.iter().filter(move |(cluster, _)| is_left_out(cluster));
    left_out.map(|(cluster, not_used)| ImportProblem::NotUsed {
        exporter: cluster.clone(),
        not_used: not_used.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn withdrawn(clusters: &[&str]) -> Routing {
        let one = NotUsed { usage: Usage::Withdraw, since: "t0".to_owned(), cause: "it is dead".to_owned() };
        let not_used = clusters.iter().map(|cluster| ((*cluster).to_owned(), one.clone())).collect();
        Routing {
            not_used,
            policy: "web".to_owned(),
            boundaries: vec!["eu".to_owned()],
            ..Routing::default()
        }
    }

    fn told(
        routing: &Routing,
        usages: &[(&str, Usage)],
        exporters: &[&str],
        before: &[Condition],
    ) -> Option<Condition> {
        let allotment = |usage: Usage| Allotment { usage, part: 1, ready: 2 };
        let allotted =
            usages.iter().map(|(cluster, usage)| ((*cluster).to_owned(), allotment(*usage))).collect();
        let exporters: Vec<String> = exporters.iter().map(|cluster| (*cluster).to_owned()).collect();
        ExportersUsed { routing, allotted: &allotted, exporters: &exporters }.told(before, "t1")
    }

    #[test]
    fn the_condition_says_which_exporters_are_left_out_and_which_only_would_be() {
        let both = ["east", "west"];
        assert_eq!(told(&withdrawn(&[]), &[], &both, &[]), None, "nothing was ever left out");
        let said =
            told(&withdrawn(&["east"]), &[("east", Usage::Withdraw)], &both, &[]).expect("a condition");
        assert_eq!((said.is_true(), said.reason.as_str()), (false, reasons::EXPORTER_NOT_USED));
        assert_eq!(said.message, "east is withdrawn (since t0): it is dead");
        let kept = told(&withdrawn(&["east"]), &[], &both, &[]).expect("a condition");
        assert_eq!(kept.reason, reasons::NO_OTHER_ENDPOINT);
        assert_eq!(told(&withdrawn(&["north"]), &[], &both, &[]), None, "another service's exporter");
        let back = told(&withdrawn(&[]), &[], &both, &[said]).expect("a condition");
        assert!(back.is_true());
        let names: Vec<String> = (0..300).map(|number| format!("c{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let said = told(&withdrawn(&names), &[], &names, &[]).expect("a condition");
        assert!(said.message.ends_with("; and 280 more") && said.message.len() < 4000);
    }

    #[test]
    fn what_a_policy_keeps_back_is_said_and_no_problem() {
        let mut routing = withdrawn(&[]);
        routing.weights = BTreeMap::from([("east".to_owned(), 3), ("north".to_owned(), 0)]);
        let usages = [("east", Usage::Part), ("west", Usage::Standby), ("north", Usage::Standby)];
        let said = told(&routing, &usages, &["east", "west", "north"], &[]).expect("a condition");
        assert_eq!((said.is_true(), said.reason.as_str()), (true, reasons::AS_POLICY_SAYS));
        assert_eq!(
            said.message,
            "east is used in part, with the weight 3 of TrafficPolicy web; \
             west is on standby: nearer endpoints are ready (TrafficPolicy web); \
             north is on standby: TrafficPolicy web gives it the weight 0"
        );
    }

    #[test]
    fn a_boundary_without_an_exporter_inside_is_a_problem() {
        let mut routing = withdrawn(&[]);
        routing.inside = Some(["west".to_owned()].into());
        let said = told(&routing, &[], &["east", "west"], &[]).expect("a condition");
        assert_eq!(
            (said.is_true(), said.message.as_str()),
            (true, "east is outside the boundary of TrafficPolicy eu")
        );
        let said = told(&routing, &[], &["east"], &[]).expect("a condition");
        assert_eq!((said.is_true(), said.reason.as_str()), (false, reasons::OUTSIDE_BOUNDARY));
    }
}
