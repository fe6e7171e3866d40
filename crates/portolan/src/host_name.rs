//! The name of the machine, which is that of the pod in a cluster.

use portolan_object::dns_label::is_label;

/// The name as the system has it.
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The name as a part of an object's name; `otherwise` for a machine that is not named by a single label.
pub(crate) fn host_label(otherwise: &str) -> String {
    label(&host_name(), otherwise)
}

fn label(name: &str, otherwise: &str) -> String {
    let name = name.to_lowercase();
    if is_label(&name) { name } else { otherwise.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_label_is_replaced() {
        for (name, want) in
            [("Node-1", "node-1"), ("a.example.com", "agent"), ("", "agent"), ("a_b", "agent")]
        {
            assert_eq!(label(name, "agent"), want, "{name}");
        }
    }
}
