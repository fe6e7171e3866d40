//! The members of a playground, which can be stopped, started, paused and resumed one by one.
//!
//! A member that is stopped ends as if its processes were killed; its state and its port stay. One that is paused stays as it
//! is: its tasks wait at a gate, and nothing passes between its pods and other clusters.

use std::net::SocketAddr;

use portolan_controlplane::embedded::EmbeddedServer;
use portolan_controlplane::kubeconfig::ContextEntry;
use portolan_net::Shutdown;
use portolan_runtime::Client;
use tokio::net::TcpSocket;
use tokio::sync::Mutex;

use crate::config::Cluster;
use crate::control::{Action, Activity, MemberState, Step};
use crate::federation::NotReady;
use crate::federation::error::{ActError, InClusterExt, StartError};
use crate::federation::member::{self, Member, MemberSettings, Start};
use crate::network::ClusterName;

/// All members, in the order of the configuration.
pub(super) struct Members {
    settings: MemberSettings,
    hub: Client,
    scope: Shutdown,
    members: Vec<Slot>,
}

struct Slot {
    cluster: Cluster,
    /// Position in the configuration.
    index: u8,
    /// Locked while an action runs.
    machine: Mutex<Machine>,
}

enum Machine {
    Up { member: Box<Member>, is_paused: bool },
    Down(StoppedApiServer),
}

impl Machine {
    fn activity(&self) -> Activity {
        match self {
            Self::Up { is_paused: false, .. } => Activity::Running,
            Self::Up { is_paused: true, .. } => Activity::Paused,
            Self::Down(_) => Activity::Stopped,
        }
    }
}

/// The API server of a stopped member.
struct StoppedApiServer {
    address: SocketAddr,
    /// Bound, and not listening: no other program gets the port, and connections to it are refused. `None` if another program
    /// was faster.
    _port: Option<TcpSocket>,
}

impl StoppedApiServer {
    fn keep_port(&mut self) {
        let bind = || {
            let socket = TcpSocket::new_v4()?;
            // Connections of the server that has ended may still be closing.
            socket.set_reuseaddr(true)?;
            socket.bind(self.address)?;
            Ok::<_, std::io::Error>(socket)
        };
        self._port = bind().ok();
    }
}

impl Members {
    pub(super) fn new(settings: MemberSettings, hub: Client, scope: &Shutdown) -> Self {
        Self { settings, hub, scope: scope.clone(), members: Vec::new() }
    }

    /// Starts a further member and joins it. Returns its context for the kubeconfig of the members.
    pub(super) async fn add(&mut self, cluster: &Cluster, index: u8) -> Result<ContextEntry, StartError> {
        let member = member::start(cluster, index, Start::First, &self.settings, &self.scope).await?;
        let context = member.join(&self.hub, cluster, &self.settings.clock).await;
        let machine = Mutex::new(Machine::Up { member: Box::new(member), is_paused: false });
        self.members.push(Slot { cluster: cluster.clone(), index, machine });
        Ok(context.in_cluster(&cluster.name)?)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|slot| slot.cluster.name.as_str())
    }

    fn slot(&self, name: &str) -> Option<&Slot> {
        self.members.iter().find(|slot| slot.cluster.name == name)
    }

    /// Administrator client of a member.
    pub(super) async fn client(&self, name: &str) -> Result<Client, NotReady> {
        let slot = self.slot(name).ok_or_else(|| NotReady::NoMember(name.to_owned()))?;
        match &*slot.machine.lock().await {
            Machine::Up { member, .. } => Ok(member.client.clone()),
            Machine::Down(_) => Err(NotReady::Stopped(name.to_owned())),
        }
    }

    /// Waits until the nodes of a member are registered. False when they are not because it does not run.
    pub(super) async fn nodes_are_ready(&self, name: &str) -> bool {
        let Some(slot) = self.slot(name) else { return false };
        match &*slot.machine.lock().await {
            Machine::Up { member, is_paused: false } => member.nodes.ready().await,
            Machine::Up { .. } | Machine::Down(_) => false,
        }
    }

    /// The state of every member.
    pub(super) async fn states(&self) -> Vec<MemberState> {
        let mut states = Vec::new();
        for slot in &self.members {
            let activity = slot.machine.lock().await.activity();
            states.push(MemberState { name: slot.cluster.name.clone(), activity });
        }
        states
    }

    /// Stops, starts, pauses or resumes a member. Nothing happens when it is in that state. To be run to its end: a member
    /// that is left half-way stays so.
    pub(super) async fn act(&self, name: &str, action: Action) -> Result<(), ActError> {
        let Some(slot) = self.slot(name) else {
            let known = self.names().collect::<Vec<_>>().join(", ");
            return Err(ActError::NoMember { name: name.to_owned(), known });
        };
        let mut machine = slot.machine.lock().await;
        let present = machine.activity();
        match present.step(action) {
            Step::Nothing => Ok(()),
            Step::Refused { first } => Err(ActError::Not { name: name.to_owned(), present, first }),
            Step::Act => self.switch(slot, &mut machine, action).await,
        }
    }

    async fn switch(&self, slot: &Slot, machine: &mut Machine, action: Action) -> Result<(), ActError> {
        match (machine, action) {
            (Machine::Up { member, is_paused }, Action::Pause) => {
                self.isolate(slot, true).await?;
                member.gate.close();
                *is_paused = true;
            }
            (Machine::Up { member, is_paused }, Action::Resume) => {
                self.isolate(slot, false).await?;
                member.gate.open();
                *is_paused = false;
            }
            (machine @ Machine::Up { .. }, Action::Stop) => self.stop(slot, machine).await?,
            (machine @ Machine::Down(_), Action::Start) => self.start_again(slot, machine).await?,
            // `Activity::step` asks for nothing else.
            _ => {}
        }
        Ok(())
    }

    async fn isolate(&self, slot: &Slot, is_isolated: bool) -> Result<(), ActError> {
        let cluster = ClusterName::new(&*slot.cluster.name);
        Ok(self.settings.network.isolate(&cluster, is_isolated).await?)
    }

    async fn stop(&self, slot: &Slot, machine: &mut Machine) -> Result<(), ActError> {
        let Machine::Up { member, .. } = &*machine else { return Ok(()) };
        let Some(embedded) = &member.embedded else {
            return Err(ActError::Foreign(slot.cluster.name.clone()));
        };
        let stopped = StoppedApiServer { address: embedded.address, _port: None };
        self.isolate(slot, false).await?;
        if let Machine::Up { member, .. } = std::mem::replace(machine, Machine::Down(stopped)) {
            member.kill().await;
        }
        if let Machine::Down(stopped) = machine {
            stopped.keep_port();
        }
        Ok(())
    }

    async fn start_again(&self, slot: &Slot, machine: &mut Machine) -> Result<(), ActError> {
        let Machine::Down(stopped) = machine else { return Ok(()) };
        stopped._port = None;
        let start = Start::Again(stopped.address);
        match member::start(&slot.cluster, slot.index, start, &self.settings, &self.scope).await {
            Ok(member) => {
                let agent = member.restart_agent(&slot.cluster, &self.settings.clock).await;
                *machine = Machine::Up { member: Box::new(member), is_paused: false };
                Ok(agent.in_cluster(&slot.cluster.name).map_err(StartError::from)?)
            }
            Err(error) => {
                stopped.keep_port();
                Err(error.into())
            }
        }
    }

    /// The first step of stopping: ends the watches of all API servers, and lets paused members go on, so that they end too.
    pub(super) async fn drain(&self) {
        for slot in &self.members {
            if let Machine::Up { member, .. } = &*slot.machine.lock().await {
                member.gate.open();
                member.embedded.iter().for_each(EmbeddedServer::drain);
            }
        }
    }

    /// Closes the stores, when the scope has ended.
    pub(super) async fn close(&self) {
        for slot in &self.members {
            let mut machine = slot.machine.lock().await;
            if let Machine::Up { member, .. } = &mut *machine
                && let Some(embedded) = member.embedded.take()
            {
                embedded.close().await;
            }
        }
    }
}
