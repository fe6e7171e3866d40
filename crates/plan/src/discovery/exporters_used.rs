//! The condition that tells clients of an import which exporters get no traffic although their endpoints are known, and why.

use std::collections::BTreeMap;

use portolan_api::conditions::multicluster as reasons;
use portolan_api::meta::Condition;

use super::problem::ImportProblem;
use super::usage::{NotUsed, Usage};

/// Exporters that are named, at most.
const MAX_NAMED: usize = 20;

/// The condition of an import with the conditions `before`. `None` if it has never been false: it would say nothing.
///
/// `not_used` has the exporters of the import, and `effective` what is done with each of them: an exporter that alone has
/// ready endpoints stays in use.
pub fn exporters_used(
    not_used: &BTreeMap<String, NotUsed>,
    effective: &BTreeMap<String, Usage>,
    before: &[Condition],
    now: &str,
) -> Option<Condition> {
    let kind = reasons::EXPORTERS_USED;
    if not_used.is_empty() {
        let is_known = before.iter().any(|condition| condition.kind == kind);
        let message = "the ready endpoints of all exporting clusters get traffic";
        return is_known.then(|| Condition::new(kind, true, reasons::ALL_USED, message.to_owned(), now));
    }
    let is_kept = |cluster: &str| effective.get(cluster).copied().unwrap_or_default() == Usage::Keep;
    let text = |(cluster, exporter): (&String, &NotUsed)| match is_kept(cluster) {
        false => format!("{cluster} is {} (since {}): {}", exporter.usage, exporter.since, exporter.cause),
        true => format!(
            "{cluster} stays in use, because no other cluster has a ready endpoint (since {}): {}",
            exporter.since, exporter.cause
        ),
    };
    let named: Vec<String> = not_used.iter().take(MAX_NAMED).map(text).collect();
    let more = match not_used.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let reason = match not_used.keys().all(|cluster| is_kept(cluster)) {
        true => reasons::NO_OTHER_ENDPOINT,
        false => reasons::EXPORTER_NOT_USED,
    };
    Some(Condition::new(kind, false, reason, format!("{}{more}", named.join("; ")), now))
}

/// What the owners of the exports have to know: the exporters that get no traffic.
pub fn problems(
    not_used: &BTreeMap<String, NotUsed>,
    effective: &BTreeMap<String, Usage>,
) -> impl Iterator<Item = ImportProblem> {
    let is_left_out = |cluster: &str| effective.get(cluster).is_some_and(|usage| *usage != Usage::Keep);
    let left_out = not_used.iter().filter(move |(cluster, _)| is_left_out(cluster));
    left_out.map(|(cluster, not_used)| ImportProblem::NotUsed {
        exporter: cluster.clone(),
        not_used: not_used.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn not_used(clusters: &[&str]) -> BTreeMap<String, NotUsed> {
        let one = NotUsed { usage: Usage::Withdraw, since: "t0".to_owned(), cause: "it is dead".to_owned() };
        clusters.iter().map(|cluster| ((*cluster).to_owned(), one.clone())).collect()
    }

    #[test]
    fn the_condition_says_which_exporters_are_left_out_and_which_only_would_be() {
        assert_eq!(
            exporters_used(&not_used(&[]), &BTreeMap::new(), &[], "t1"),
            None,
            "nothing was ever left out"
        );
        let gone = BTreeMap::from([("east".to_owned(), Usage::Withdraw)]);
        let said = exporters_used(&not_used(&["east"]), &gone, &[], "t1").expect("a condition");
        assert_eq!((said.is_true(), said.reason.as_str()), (false, reasons::EXPORTER_NOT_USED));
        assert_eq!(said.message, "east is withdrawn (since t0): it is dead");
        let kept = exporters_used(&not_used(&["east"]), &BTreeMap::new(), &[], "t1").expect("a condition");
        assert_eq!(kept.reason, reasons::NO_OTHER_ENDPOINT);
        let back = exporters_used(&not_used(&[]), &BTreeMap::new(), &[said], "t2").expect("a condition");
        assert!(back.is_true());
        let names: Vec<String> = (0..300).map(|number| format!("c{number}")).collect();
        let many = not_used(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let said = exporters_used(&many, &BTreeMap::new(), &[], "t1").expect("a condition");
        assert!(said.message.ends_with("; and 280 more") && said.message.len() < 4000);
    }
}
