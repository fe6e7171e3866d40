//! The classes of attacks.

mod bombs;
mod damage;
mod floods;
mod identity;
mod kills;
mod members;
mod mutations;
mod stolen;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::ValueEnum;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::server::Server;
use crate::tally::Tally;

/// A class of attacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Class {
    /// Requests of users with few rights, compared with the answers of kube-apiserver.
    Identity,
    /// Credentials of a member and of its agent, used against everything else.
    Stolen,
    /// Requests that take a small body and much work.
    Bombs,
    /// Connections and streams that are opened and not used as intended.
    Floods,
    /// Requests with random mistakes.
    Mutations,
    /// A member that answers with lies, floods, or not at all.
    Members,
    /// Files of the store with flipped bits, cut, emptied or removed.
    Damage,
    /// SIGKILL under load, with a watcher that goes on.
    Kills,
}

/// What every class gets.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    /// The program.
    pub(crate) portolan: PathBuf,
    /// Time for the class.
    pub(crate) time: Duration,
    /// Seed of its attempts.
    pub(crate) seed: u64,
}

impl Setting {
    fn random(&self) -> StdRng {
        StdRng::seed_from_u64(self.seed)
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.time
    }

    fn start(&self, folder: &tempfile::TempDir) -> Result<Server> {
        Server::start(&self.portolan, folder.path())
    }
}

impl Class {
    pub(crate) const ALL: [Self; 8] = [
        Self::Identity,
        Self::Stolen,
        Self::Bombs,
        Self::Floods,
        Self::Mutations,
        Self::Members,
        Self::Damage,
        Self::Kills,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Stolen => "stolen",
            Self::Bombs => "bombs",
            Self::Floods => "floods",
            Self::Mutations => "mutations",
            Self::Members => "members",
            Self::Damage => "damage",
            Self::Kills => "kills",
        }
    }

    pub(crate) fn run(self, setting: &Setting) -> Result<Tally> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.context("cannot start the runtime")?;
        runtime.block_on(async {
            match self {
                Self::Identity => identity::run(setting).await,
                Self::Stolen => stolen::run(setting).await,
                Self::Bombs => bombs::run(setting).await,
                Self::Floods => floods::run(setting).await,
                Self::Mutations => mutations::run(setting).await,
                Self::Members => members::run(setting).await,
                Self::Damage => damage::run(setting).await,
                Self::Kills => kills::run(setting).await,
            }
        })
    }
}
