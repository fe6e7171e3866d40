//! The page `docs/metrics.md` against what a server and an agent really report.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use portolan_controllers::dns::{Follower, Zone, caches};
use portolan_controlplane::{ControlPlane, ControlPlaneSettings, StateDirectory};
use portolan_dns::{Statistics, ZoneSettings, Zones};
use portolan_net::telemetry::TextFormat;
use portolan_net::{Clock, Shutdown};
use portolan_plan::dns::ZoneKind;

use super::of_process;

/// Type and labels of each metric.
type Described = BTreeMap<String, (String, Vec<String>)>;

/// Everything that a server and an agent report, in one text.
async fn reported() -> String {
    let (directory, scope) = (tempfile::tempdir().expect("a directory"), Shutdown::new());
    let state = StateDirectory::open(directory.path()).expect("a state directory");
    let metrics = of_process("server");
    let settings = ControlPlaneSettings { metrics: Some(metrics.clone()), ..ControlPlaneSettings::default() };
    let control_plane = ControlPlane::embedded(&state, &settings, &scope).await.expect("started");
    let controllers = control_plane.start_controllers(&settings.clock, &scope);
    let zones: Arc<Zones> = Zones::new(vec![ZoneSettings::new(ZoneKind::ClusterSet)]).expect("one zone");
    let of_client = caches(control_plane.client(), &scope);
    let zone = Zone::new(ZoneKind::ClusterSet);
    let follower = Follower::start(&of_client, &[zone], &zones, &Clock::system(), &scope);
    metrics.register(|registry| {
        control_plane.register_metrics(registry);
        portolan_dns::metrics::register(&zones, &Statistics::default(), registry);
        follower.register_metrics(registry);
    });
    // A request, so that the families of requests have a series.
    control_plane.client().text("/readyz").await.expect("ready");
    let text = metrics.render(TextFormat::Prometheus).expect("no collector fails");
    drop(controllers);
    control_plane.stop(&scope, Duration::from_secs(10)).await;
    text
}

/// The metrics of a text, with the labels of their first series.
fn metrics_of(text: &str) -> Described {
    let mut described = Described::new();
    for line in text.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            described.insert(name.to_owned(), (kind.to_owned(), Vec::new()));
        } else if let Some((series, labels)) = line.split_once('{').filter(|_| !line.starts_with('#')) {
            let name = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| series.strip_suffix(suffix));
            let name = name.filter(|name| described.contains_key(*name)).unwrap_or(series);
            let labels =
                labels.split("\",").filter_map(|label| label.split_once('=')).map(|(label, _)| label);
            let labels = labels.filter(|label| *label != "le").map(str::to_owned).collect();
            described.entry(name.to_owned()).or_default().1 = labels;
        }
    }
    described
}

/// The rows of the tables that begin with a metric: name, type, labels.
fn documented() -> Described {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let rows = rows.filter_map(|(name, rest)| {
        let (kind, labels) = rest.split_once(" | ")?;
        let labels = labels.split_once('|')?.0;
        let labels = labels.split(',').map(|label| label.trim().trim_matches('`').to_owned());
        let labels = labels.filter(|label| !label.is_empty()).collect();
        let is_metric = ["counter", "gauge", "histogram"].contains(&kind);
        is_metric.then(|| (name.to_owned(), (kind.to_owned(), labels)))
    });
    rows.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_and_the_registry_agree() {
    let (reported, documented) = (metrics_of(&reported().await), documented());
    let names = |described: &Described| described.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&reported), names(&documented), "reported and documented");
    for (name, (kind, labels)) in &reported {
        let (documented_kind, documented_labels) = &documented[name];
        assert_eq!(kind, documented_kind, "{name}");
        assert!(labels.is_empty() || labels == documented_labels, "{name}: {labels:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Go; the gate runs it"]
async fn promtool_accepts_the_metrics() {
    let text = reported().await;
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/promlint");
    let mut lint = Command::new("go")
        .args(["run", "."])
        .current_dir(tool)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("go");
    lint.stdin.take().expect("piped").write_all(text.as_bytes()).expect("read to its end");
    let output = lint.wait_with_output().expect("ended");
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stdout));
}
