//! Explanations as text.

use jiff::Timestamp;
use portolan_object::age;
use portolan_plan::explain::{Diagnosis, Step, Verdict};

/// Spaces before the lines below a step.
const INDENT: &str = "                 ";

/// The headline, the steps, and what to do first.
pub(super) fn render(diagnosis: &Diagnosis, now: Timestamp) -> String {
    let mut text = format!("{}\n", diagnosis.headline());
    let mut cluster = None;
    for step in &diagnosis.steps {
        if step.cluster != cluster {
            cluster.clone_from(&step.cluster);
            if let Some(cluster) = &cluster {
                text.push_str(&format!("  {cluster}\n"));
            }
        }
        text.push_str(&line(step, now));
    }
    if let Some(since) = diagnosis.good_since().and_then(|since| age_of(since, now)) {
        text.push_str(&format!("Everything is as the policy wants, since {since}.\n"));
    }
    text
}

fn line(step: &Step, now: Timestamp) -> String {
    let mark = match step.verdict {
        Verdict::Good => '✓',
        Verdict::Warning => '!',
        Verdict::Waiting => '…',
        Verdict::Broken => '✗',
        Verdict::NotLookedAt => '·',
    };
    let indent = if step.cluster.is_some() { "    " } else { "  " };
    let age = step.since.as_deref().and_then(|since| age_of(since, now));
    let age = age.map(|age| format!("   ({age})")).unwrap_or_default();
    let mut text = format!("{indent}{mark} {:<10} {}{age}\n", step.hop.name(), step.text);
    for detail in &step.details {
        text.push_str(&format!("{INDENT}{detail}\n"));
    }
    if let (Some(cure), true) = (&step.cure, step.verdict != Verdict::Good) {
        text.push_str(&format!("{INDENT}next: {cure}\n"));
    }
    text
}

/// The time from an RFC 3339 time until now.
pub(crate) fn age_of(since: &str, now: Timestamp) -> Option<String> {
    let since: Timestamp = since.parse().ok()?;
    Some(age::human(now.duration_since(since)))
}
