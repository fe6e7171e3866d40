//! Fuzz targets: one function for each parser that reads bytes from outside.
//!
//! A target must return for every input: no panic, no endless loop, no allocation that the input's size does not
//! justify. Where a parser has a printer, a target also checks that what was printed parses to the same value.
//!
//! - `cargo test -p portolan-fuzz` runs every target on its committed seeds and on a bounded number of mutations of
//!   them. The gate runs it.
//! - `cargo xtask fuzz NAME` runs one target under libFuzzer, guided by coverage, until it is stopped.
//!
//! To add a target: write the function in the file of its subject, name it in [`TARGETS`], and put at least one valid
//! and one broken input into `seeds/NAME/`. An input that once failed stays there as a seed.

mod answers;
mod dns;
mod objects;
mod patches;
mod requests;
mod schemas;
mod text;

/// A named parser.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Name, also of the folder with its seeds.
    pub name: &'static str,
    /// Runs the parser once.
    pub run: fn(&[u8]),
}

/// Every target, in alphabetical order.
pub const TARGETS: &[Target] = &[
    Target { name: "accept_header", run: requests::accept_header },
    Target { name: "api_answer", run: answers::api_answer },
    Target { name: "api_request", run: requests::api_request },
    Target { name: "cel", run: schemas::cel },
    Target { name: "channel_message", run: requests::channel_message },
    Target { name: "continue_token", run: requests::continue_token },
    Target { name: "corefile", run: dns::corefile },
    Target { name: "crd_schema", run: schemas::crd_schema },
    Target { name: "cron_schedule", run: text::cron_schedule },
    Target { name: "dns_request", run: dns::dns_request },
    Target { name: "field_selector", run: text::field_selector },
    Target { name: "json_patch", run: patches::json_patch },
    Target { name: "jsonpath", run: text::jsonpath },
    Target { name: "kubeconfig", run: answers::kubeconfig },
    Target { name: "kubelet_query", run: requests::kubelet_query },
    Target { name: "label_selector", run: text::label_selector },
    Target { name: "managed_fields", run: patches::managed_fields },
    Target { name: "pod", run: objects::pod },
    Target { name: "probe_output", run: answers::probe_output },
    Target { name: "protobuf", run: objects::protobuf },
    Target { name: "quantity", run: text::quantity },
    Target { name: "spdy", run: requests::spdy },
    Target { name: "strategic_merge_patch", run: patches::strategic_merge_patch },
    Target { name: "yaml", run: objects::yaml },
];

/// The target with this name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().copied().find(|target| target.name == name)
}
