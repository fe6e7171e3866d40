mod faults;
mod federation;
mod more_faults;
mod native;
mod traffic_faults;
mod variations;

use portolan_api::labels::endpoint_slice::SOURCE_CLUSTER;
use serde_json::json;

use super::*;
use crate::discovery::{Lost, LostCause};
use faults::{Fault, faults};
use federation::{explicit, healthy, lose, slice, untried, view, with, with_second};
use more_faults::more_faults;
use native::native_faults;
use traffic_faults::traffic_faults;
use variations::variations;

fn all_faults() -> Vec<Fault> {
    let tables = [faults(), more_faults(), traffic_faults(), variations(), native_faults()];
    tables.into_iter().flatten().collect()
}

/// The next step of the finding that the headline names.
fn next_of(diagnosis: &Diagnosis) -> String {
    let rank = |finding: &Finding| match finding {
        Finding::Broken { next, .. } => Some((0, next.clone())),
        Finding::Unclear { next, .. } => Some((1, next.clone())),
        Finding::Warning { next, .. } => Some((2, next.clone())),
        Finding::Good(_) | Finding::NotSeen(_) => None,
    };
    let found = diagnosis.path.iter().filter_map(|(_, finding)| rank(finding));
    found.min_by_key(|(rank, _)| *rank).map(|(_, next)| next).unwrap_or_default()
}

#[test]
fn every_fault_has_the_right_first_line_cure_and_verdict() {
    let mut wrong = Vec::new();
    for fault in all_faults() {
        let diagnosis = diagnose(&fault.facts, fault.from);
        let (headline, next, verdict) = (diagnosis.headline(), next_of(&diagnosis), diagnosis.verdict());
        if !headline.contains(fault.says) || !next.contains(fault.next) || verdict != fault.verdict {
            wrong.push(format!(
                "{}\n  is     {headline}\n  wanted {}\n  next   {next}\n  wanted {}\n  {verdict:?}, wanted {:?}",
                fault.name, fault.says, fault.next, fault.verdict
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {} faults:\n{}", wrong.len(), all_faults().len(), wrong.join("\n"));
}

#[test]
fn every_problem_has_a_next_step() {
    for fault in all_faults() {
        let diagnosis = diagnose(&fault.facts, fault.from);
        for (hop, finding) in &diagnosis.path {
            if let Finding::Broken { cause, next }
            | Finding::Warning { cause, next }
            | Finding::Unclear { cause, next } = finding
            {
                assert!(!cause.is_empty() && !next.is_empty(), "{}: {hop}: {finding:?}", fault.name);
            }
        }
    }
}

#[test]
fn the_documents_list_every_fault() {
    let page = include_str!("../../../../../docs/why-service.md");
    let mark = |fault: &Fault| match fault.verdict {
        Verdict::Works => "works",
        Verdict::WorksWithDoubts => "works, with doubts",
        Verdict::CannotTell => "cannot tell",
        Verdict::Broken => "broken",
    };
    let row =
        |fault: &Fault| format!("| {} | {} | {} | {} |", fault.name, mark(fault), fault.says, fault.next);
    let rows: Vec<String> = all_faults().iter().map(row).collect();
    let missing: Vec<&str> = rows.iter().map(String::as_str).filter(|row| !page.contains(row)).collect();
    assert!(missing.is_empty(), "docs/why-service.md lacks the rows:\n{}", missing.join("\n"));
    assert!(page.contains(&format!("{} faults", rows.len())), "{} faults", rows.len());
}

#[test]
fn a_service_that_was_not_tried_is_not_said_to_work() {
    let cases = [
        ("tried", healthy(), Verdict::Works, "shop/web from b: works"),
        (
            "not tried",
            untried("b", |_| {}),
            Verdict::CannotTell,
            "shop/web from b: cannot tell: no object is wrong, and no connection was tried",
        ),
    ];
    for (name, facts, verdict, headline) in cases {
        let diagnosis = diagnose(&facts, "b");
        assert_eq!((diagnosis.verdict(), diagnosis.headline().as_str()), (verdict, headline), "{name}");
    }
}

#[test]
fn a_broken_hop_is_the_last_and_only_faults_of_exporters_concern_every_client() {
    for fault in all_faults() {
        let diagnosis = diagnose(&fault.facts, fault.from);
        if let Some((broken, _)) = diagnosis.broken() {
            assert_eq!(diagnosis.path.last().map(|(hop, _)| *hop), Some(broken), "{}", fault.name);
            assert_eq!(diagnosis.is_broken_everywhere(), broken <= Hop::Endpoints, "{}", fault.name);
        }
    }
}

#[test]
fn endpoints_of_an_exporter_that_lost_all_its_ports_are_not_missed() {
    let mut losing = federation::service("10.15.0.4", 80);
    losing.0["spec"]["ports"][0]["protocol"] = json!("UDP");
    let mut facts = with_second(losing, faults::conflict("PortConflict"));
    view(&mut facts, "c").slices[0].0["ports"][0]["protocol"] = json!("UDP");
    view(&mut facts, "b").slices.retain(|slice| slice.label(SOURCE_CLUSTER) != Some("id-c"));
    let diagnosis = diagnose(&facts, "b");
    let headline = "works, with a doubt at import: port conflict: http 80/UDP of c gets no traffic";
    assert!(diagnosis.headline().contains(headline), "{}", diagnosis.headline());
    let slices: Vec<&Finding> =
        diagnosis.path.iter().filter(|(hop, _)| *hop == Hop::Slices).map(|(_, finding)| finding).collect();
    assert!(slices.iter().all(|finding| matches!(finding, Finding::Good(_))), "{slices:?}");
}

#[test]
fn the_loss_of_a_cluster_that_has_nothing_to_do_with_the_service_is_a_note() {
    let mut facts = healthy();
    facts.members.push(Member {
        name: "c".to_owned(),
        known: Known::default(),
        view: Err(Lost::new(LostCause::Silent, "timeout")),
    });
    let diagnosis = diagnose(&facts, "b");
    assert_eq!(diagnosis.verdict(), Verdict::Works);
    let (_, link) = &diagnosis.path[0];
    assert!(
        matches!(link, Finding::Good(text) if text.contains("not read") && text.contains("c (")),
        "{link:?}"
    );
}

#[test]
fn an_explicit_import_has_the_address_and_the_name_of_its_derived_service() {
    let facts = explicit(json!([{"name": "http", "port": 80}]));
    let diagnosis = diagnose(&facts, "b");
    assert_eq!(diagnosis.verdict(), Verdict::CannotTell, "{}", diagnosis.headline());
    let dns = diagnosis.path.iter().find(|(hop, _)| *hop == Hop::Dns).map(|(_, finding)| finding);
    assert!(
        matches!(dns, Some(Finding::NotSeen(text)) if text.contains("derived-web.shop.svc.cluster.local")),
        "{dns:?}"
    );
}

#[test]
fn ports_of_an_explicit_import_may_be_fewer_and_have_other_numbers() {
    for ports in [json!([{"port": 80}]), json!([{"port": 8081}]), json!([{"name": "http", "port": 80}])] {
        let diagnosis = diagnose(&explicit(ports.clone()), "b");
        assert_eq!(diagnosis.broken(), None, "{ports}");
    }
}

#[test]
fn default_client_clusters() {
    let alone = |has_import: bool| {
        let mut facts = explicit(json!([{"port": 80}]));
        if !has_import {
            view(&mut facts, "b").import = None;
            view(&mut facts, "b").slices.clear();
        }
        facts
    };
    let mut without_a = healthy();
    lose(&mut without_a, "a", LostCause::Unreachable);
    let cases = [
        ("members of the set", healthy(), vec!["a", "b"]),
        ("clusters with an explicit import", alone(true), vec!["b"]),
        ("else those that do not export it", alone(false), vec!["b"]),
        ("clusters that can be read", without_a, vec!["b"]),
    ];
    for (name, facts, want) in cases {
        assert_eq!(consumers(&facts), want, "{name}");
    }
}

#[test]
fn a_probe_resolves_the_name_and_connects_to_the_ports_and_to_an_endpoint_of_each_exporter() {
    let mut facts = with_second(federation::service("10.15.0.4", 80), json!([]));
    let held = view(&mut facts, "b").clone();
    let script = probe::script(&facts, &held);
    assert!(script.starts_with("nslookup web.shop.svc.clusterset.local. 2>&1;"), "{script}");
    for wanted in [
        "nc -w 3 web.shop.svc.clusterset.local. 80 <",
        "nc -w 3 10.10.0.5 8080 <",
        "nc -w 3 10.14.0.5 8080 <",
        "id-c/10.14.0.5 8080",
    ] {
        assert!(script.contains(wanted), "{wanted} in {script}");
    }
    let held = view(&mut facts, "b");
    held.import.as_mut().expect("an import").0["spec"]["type"] = json!("Headless");
    held.slices[0].0["ports"] = json!([{"port": 8080, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]);
    let held = held.clone();
    let script = probe::script(&facts, &held);
    assert!(
        script.contains("local. 8080 <") && !script.contains(" 53 ") && !script.contains(" 80 "),
        "{script}"
    );
}

#[test]
fn a_source_label_does_not_get_into_the_script_of_a_probe() {
    let facts = with("b", |held| held.slices = vec![slice(Some("$(reboot)"), &["10.10.0.5"])]);
    let held = facts.member("b").and_then(Member::view).expect("it can be read");
    assert!(!probe::script(&facts, held).contains("reboot"));
}

#[test]
fn a_conflict_that_traffic_survives_is_a_doubt_for_every_reason() {
    for reason in ["SessionAffinityConflict", "LabelsConflict", "PortConflict,LabelsConflict"] {
        let conflict = json!([{"type": "Conflict", "status": "True", "reason": reason, "message": "a wins"}]);
        let diagnosis = diagnose(&with_second(federation::service("10.15.0.4", 80), conflict), "b");
        assert_eq!(diagnosis.verdict(), Verdict::WorksWithDoubts, "{reason}");
    }
}

#[test]
fn connections_of_the_agent_are_told_with_their_age() {
    let proof = |answers, seconds| Proof {
        source: "id-a".to_owned(),
        endpoint: "10.1.0.5:8080".to_owned(),
        answers,
        failure: String::new(),
        age: std::time::Duration::from_secs(seconds),
    };
    let connects = "the agent of b connected to 10.1.0.5:8080 of a 3 s ago";
    let does_not = "broken at connection: the agent of b got no connection to 10.1.0.5:8080 of a 3 s ago";
    let failing = Proof { failure: "GET /healthz answered 503".to_owned(), ..proof(false, 3) };
    let fails = "broken at connection: the agent of b reached 10.1.0.5:8080 of a 3 s ago, and GET /healthz answered 503";
    let cases = [
        ("its HTTP probe fails", vec![failing], Verdict::Broken, fails),
        ("it connects", vec![proof(true, 3)], Verdict::Works, connects),
        ("one agent of two connects", vec![proof(false, 1), proof(true, 3)], Verdict::Works, connects),
        ("it does not", vec![proof(false, 3)], Verdict::Broken, does_not),
        ("too old", vec![proof(true, 600)], Verdict::CannotTell, "cannot tell"),
        ("no agent", vec![], Verdict::CannotTell, "cannot tell"),
    ];
    for (name, proofs, want, says) in cases {
        let facts = untried("b", |view| view.proofs = proofs);
        let diagnosis = diagnose(&facts, "b");
        assert_eq!(diagnosis.verdict(), want, "{name}: {}", diagnosis.headline());
        assert!(diagnosis.headline().contains(says), "{name}: {}", diagnosis.headline());
    }
}
