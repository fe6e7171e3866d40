//! One member is stopped or paused while the other runs, with pods that are processes.

use portolan_e2e::binary::portolan;
use portolan_e2e::processes::{Process, descendants};
use portolan_e2e::{Playground, eventually, text};

use super::{field, playground, shell, start_shell};

fn act(playground: &Playground, action: &str, state: &str) {
    let done = portolan(&["playground", action, "member1", "--dir", text(playground.directory())]);
    assert!(done.stdout.contains(&format!("member1   {state}\n")), "{done}");
}

#[test]
fn the_processes_of_a_stopped_member_end_and_packets_to_a_paused_one_are_lost() {
    let Some(playground) = playground() else { return };
    let (member1, member2) = (playground.member("member1"), playground.member("member2"));
    member1.ok(&["run", "web", "--image=nginx"]);
    let ready = ["wait", "--for=condition=Ready", "pod/web", "--timeout=60s"];
    member1.ok(&ready);
    let processes = descendants(playground.id());
    start_shell(&member2);
    let address = field(&member1, "pod", "web", "{.status.podIP}");
    let ask = format!("curl -s -m 2 -o /dev/null http://{address}; echo $?");
    let answers = |code: &str| {
        eventually(&format!("curl to end with {code}"), || match shell(&member2, &ask) {
            found if found == code => Ok(()),
            found => Err(found),
        });
    };
    answers("0");

    act(&playground, "stop", "stopped");
    eventually("the processes of the pod to end", || match processes.iter().any(Process::runs) {
        true => Err(format!("{processes:?}")),
        false => Ok(()),
    });
    assert_ne!(shell(&member2, &ask), "0");
    act(&playground, "start", "running");
    answers("0");
    assert_eq!(field(&member1, "pod", "web", "{.status.podIP}"), address);

    act(&playground, "pause", "paused");
    // curl's code of a timeout.
    answers("28");
    act(&playground, "resume", "running");
    answers("0");
    member1.ok(&ready);
}
