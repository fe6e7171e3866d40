//! Tables of usage, with the columns of `karmadactl top`. Pure.

use std::cmp::Reverse;

use portolan_object::Object;
use portolan_object::quantity::Quantity;
use serde_json::{Value, json};

use super::arguments::{SortBy, TopNodes, TopPods};
use crate::output::table::align;

/// Where the capacity of a node is put, beside its usage.
const CAPACITY: &str = "capacity";
/// The text for a node without metrics.
const UNKNOWN: &str = "<unknown>";

/// PodMetrics or NodeMetrics of a cluster.
#[derive(Debug, Clone)]
pub(super) struct Measured {
    pub(super) cluster: String,
    pub(super) object: Object,
}

/// CPU and memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Usage {
    cpu: Quantity,
    memory: Quantity,
}

impl Usage {
    fn none() -> Self {
        Self { cpu: Quantity::from_milli(0), memory: Quantity::from_milli(0) }
    }

    /// Reads a ResourceList; what is missing or malformed is nothing.
    fn read(list: &Value) -> Self {
        let read = |name: &str| {
            let text = list[name].as_str().unwrap_or("0");
            Quantity::parse(text).unwrap_or(Quantity::from_milli(0))
        };
        Self { cpu: read("cpu"), memory: read("memory") }
    }

    fn plus(self, other: Self) -> Self {
        Self { cpu: self.cpu.plus(other.cpu), memory: self.memory.plus(other.memory) }
    }

    fn amount(self, sort_by: SortBy) -> Quantity {
        match sort_by {
            SortBy::Cpu => self.cpu,
            SortBy::Memory => self.memory,
        }
    }

    fn cells(self) -> [String; 2] {
        [format!("{}m", self.cpu.milli()), format!("{}Mi", mebibytes(self.memory))]
    }
}

fn mebibytes(memory: Quantity) -> i64 {
    memory.round_up() / (1 << 20)
}

/// A line before it is printed.
struct Line {
    namespace: String,
    pod: String,
    name: String,
    cluster: String,
    usage: Usage,
}

/// The table of `top pods`.
pub(super) fn pods_table(measured: &[Measured], arguments: &TopPods) -> String {
    let mut lines: Vec<Line> = measured.iter().flat_map(|pod| pod_lines(pod, arguments.containers)).collect();
    lines.sort_by(|one, other| {
        let place =
            |line: &Line| (line.namespace.clone(), line.pod.clone(), line.name.clone(), line.cluster.clone());
        match arguments.sort_by {
            Some(by) => Reverse(one.usage.amount(by))
                .cmp(&Reverse(other.usage.amount(by)))
                .then_with(|| place(one).cmp(&place(other))),
            None => place(one).cmp(&place(other)),
        }
    });
    let row = |namespace: &str, pod: &str, name: &str, cluster: &str, cells: [String; 2]| {
        let mut row = vec![name.to_owned(), cluster.to_owned()];
        if arguments.containers {
            row.insert(0, pod.to_owned());
        }
        if arguments.objects.all_namespaces {
            row.insert(0, namespace.to_owned());
        }
        row.extend(cells);
        row
    };
    let mut rows = Vec::new();
    if !arguments.no_headers {
        let usage = ["CPU(cores)", "MEMORY(bytes)"].map(str::to_owned);
        rows.push(row("NAMESPACE", "POD", "NAME", "CLUSTER", usage));
    }
    rows.extend(
        lines
            .iter()
            .map(|line| row(&line.namespace, &line.pod, &line.name, &line.cluster, line.usage.cells())),
    );
    if arguments.sum {
        let sum = lines.iter().fold(Usage::none(), |sum, line| sum.plus(line.usage));
        rows.push(row("", "", "", "", ["________", "________"].map(str::to_owned)));
        rows.push(row("", "", "", "", sum.cells()));
    }
    align(&rows.iter().collect::<Vec<_>>())
}

fn pod_lines(pod: &Measured, has_containers: bool) -> Vec<Line> {
    let object = &pod.object;
    let containers = object.at(&["containers"]).and_then(Value::as_array).cloned().unwrap_or_default();
    let line = |name: &str, usage: Usage| Line {
        namespace: object.namespace().to_owned(),
        pod: object.name().to_owned(),
        name: name.to_owned(),
        cluster: pod.cluster.clone(),
        usage,
    };
    let usage = |container: &Value| Usage::read(&container["usage"]);
    if has_containers {
        let name = |container: &Value| container["name"].as_str().unwrap_or_default().to_owned();
        return containers.iter().map(|container| line(&name(container), usage(container))).collect();
    }
    let sum = containers.iter().fold(Usage::none(), |sum, container| sum.plus(usage(container)));
    vec![line(object.name(), sum)]
}

/// The metrics of nodes with what pods may use of each; nodes without metrics have no usage.
pub(super) fn with_capacity(metrics: Vec<Object>, nodes: Vec<Object>) -> Vec<Object> {
    let mut merged = Vec::new();
    for node in nodes {
        let usage = metrics.iter().find(|metrics| metrics.name() == node.name());
        let capacity = node.at(&["status", "allocatable"]).cloned().unwrap_or_default();
        merged.push(Object(json!({ "metadata": { "name": node.name() }, CAPACITY: capacity,
            "usage": usage.and_then(|usage| usage.at(&["usage"])) })));
    }
    merged
}

/// The table of `top nodes`.
pub(super) fn nodes_table(measured: &[Measured], arguments: &TopNodes) -> String {
    let mut nodes: Vec<(&Measured, Option<Usage>)> = measured
        .iter()
        .map(|node| (node, node.object.at(&["usage"]).filter(|usage| usage.is_object()).map(Usage::read)))
        .collect();
    nodes.sort_by(|(one, used), (other, other_used)| {
        let place = |node: &Measured| (node.object.name().to_owned(), node.cluster.clone());
        let amount = |usage: &Option<Usage>| arguments.sort_by.map(|by| usage.map(|usage| usage.amount(by)));
        Reverse(amount(used)).cmp(&Reverse(amount(other_used))).then_with(|| place(one).cmp(&place(other)))
    });
    let heading = ["NAME", "CLUSTER", "CPU(cores)", "CPU%", "MEMORY(bytes)", "MEMORY%"].map(str::to_owned);
    let mut rows: Vec<Vec<String>> =
        Some(heading.to_vec()).filter(|_| !arguments.no_headers).into_iter().collect();
    for (node, usage) in nodes {
        let mut row = vec![node.object.name().to_owned(), node.cluster.clone()];
        match usage {
            None => row.extend([UNKNOWN; 4].map(str::to_owned)),
            Some(usage) => {
                let capacity = Usage::read(node.object.at(&[CAPACITY]).unwrap_or(&Value::Null));
                let [cpu, memory] = usage.cells();
                row.extend([cpu, percent(usage.cpu, capacity.cpu)]);
                row.extend([memory, percent(usage.memory, capacity.memory)]);
            }
        }
        rows.push(row);
    }
    align(&rows.iter().collect::<Vec<_>>())
}

fn percent(used: Quantity, capacity: Quantity) -> String {
    match capacity.as_f64() {
        capacity if capacity > 0.0 => format!("{}%", (used.as_f64() / capacity * 100.0) as i64),
        _ => UNKNOWN.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::arguments::Top;
    use super::*;
    use crate::arguments::{Arguments, Command};

    fn top(line: &str) -> Top {
        let words = format!("portolan top {line}");
        let parsed = Arguments::try_parse_from(words.split_whitespace()).expect("a command line");
        let Command::Top(top) = parsed.command else { panic!("not top") };
        top
    }

    fn pod(cluster: &str, name: &str, containers: &[(&str, &str, &str)]) -> Measured {
        let containers: Vec<Value> = containers
            .iter()
            .map(|(name, cpu, memory)| json!({ "name": name, "usage": { "cpu": cpu, "memory": memory } }))
            .collect();
        let object = json!({ "metadata": { "namespace": "shop", "name": name }, "containers": containers });
        Measured { cluster: cluster.to_owned(), object: Object(object) }
    }

    #[test]
    fn pods_have_the_sum_of_their_containers() {
        let pods = [
            pod("eu", "web", &[("a", "100m", "64Mi"), ("b", "250000n", "1Mi")]),
            pod("us", "api", &[("a", "2", "1Gi")]),
        ];
        let table = |line: &str| {
            let Top::Pods(arguments) = top(line) else { panic!("not pods") };
            pods_table(&pods, &arguments)
        };
        assert_eq!(
            table("pods"),
            "NAME   CLUSTER   CPU(cores)   MEMORY(bytes)\n\
             api    us        2000m        1024Mi\n\
             web    eu        101m         65Mi\n"
        );
        let blank = " ".repeat(35);
        assert_eq!(
            table("pod --containers --sum -A --sort-by cpu"),
            format!(
                "NAMESPACE   POD   NAME   CLUSTER   CPU(cores)   MEMORY(bytes)\n\
                 shop        api   a      us        2000m        1024Mi\n\
                 shop        web   a      eu        100m         64Mi\n\
                 shop        web   b      eu        1m           1Mi\n\
                 {blank}________     ________\n\
                 {blank}2101m        1089Mi\n"
            )
        );
    }

    #[test]
    fn nodes_have_the_share_of_what_pods_may_use() {
        let metrics = vec![Object(
            json!({ "metadata": { "name": "n1" }, "usage": { "cpu": "500m", "memory": "1Gi" } }),
        )];
        let node = |name: &str| {
            Object(
                json!({ "metadata": { "name": name }, "status": { "allocatable": { "cpu": "2", "memory": "4Gi" } } }),
            )
        };
        let nodes = with_capacity(metrics, vec![node("n1"), node("n2")]);
        let nodes: Vec<Measured> =
            nodes.into_iter().map(|object| Measured { cluster: "eu".to_owned(), object }).collect();
        let Top::Nodes(arguments) = top("nodes") else { panic!("not nodes") };
        assert_eq!(
            nodes_table(&nodes, &arguments),
            "NAME   CLUSTER   CPU(cores)   CPU%        MEMORY(bytes)   MEMORY%\n\
             n1     eu        500m         25%         1024Mi          25%\n\
             n2     eu        <unknown>    <unknown>   <unknown>       <unknown>\n"
        );
    }
}
