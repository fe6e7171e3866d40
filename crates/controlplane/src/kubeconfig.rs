//! A kubeconfig file of this process, rewritten when a client certificate in it is renewed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::select_all;
use portolan_net::files::FileError;
use portolan_net::kubeconfig::{Cluster, User};
use portolan_net::pki::Identity;
use portolan_net::{Kubeconfig, Shutdown};
use tokio::sync::watch;

/// Time until a file is written again that could not be written.
const RETRY_INTERVAL: Duration = Duration::from_secs(60);

/// A context of a [`KubeconfigFile`].
#[derive(Debug, Clone)]
pub struct ContextEntry {
    /// Name of the context, its cluster and its user.
    pub name: String,
    /// The API server.
    pub cluster: Cluster,
    /// The credential.
    pub user: ContextUser,
}

/// The credential of a context.
#[derive(Debug, Clone)]
pub enum ContextUser {
    /// Never changes.
    Fixed(User),
    /// A client certificate that is renewed.
    Renewed(watch::Receiver<Identity>),
}

impl ContextUser {
    fn current(&mut self) -> User {
        match self {
            Self::Fixed(user) => user.clone(),
            Self::Renewed(identity) => {
                let identity = identity.borrow_and_update();
                User::certificate(identity.certificate_pem(), identity.key_pem())
            }
        }
    }

    /// Completes at the next renewal; a fixed credential is never renewed.
    async fn renewed(&mut self) {
        if let Self::Renewed(identity) = self
            && identity.changed().await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }
}

/// A kubeconfig file with several contexts; the first one is the current one.
#[derive(Debug)]
pub struct KubeconfigFile {
    path: PathBuf,
    entries: Vec<ContextEntry>,
}

impl KubeconfigFile {
    /// A file with the given contexts. Nothing is written yet.
    pub fn new(path: &Path, entries: Vec<ContextEntry>) -> Self {
        Self { path: path.to_owned(), entries }
    }

    /// Writes the file now, in one step, and again after each renewal until `scope` ends.
    ///
    /// # Errors
    /// [`FileError`] when it cannot be written now. Later failures are logged, and the write is repeated.
    pub fn keep_written(mut self, scope: &Shutdown) -> Result<(), FileError> {
        self.write()?;
        portolan_runtime::scope::spawn_until_stop(scope, async move {
            loop {
                self.renewed().await;
                while let Err(error) = self.write() {
                    tracing::error!(%error, "cannot write the renewed kubeconfig, trying again");
                    tokio::time::sleep(RETRY_INTERVAL).await;
                }
            }
        });
        Ok(())
    }

    fn write(&mut self) -> Result<(), FileError> {
        let kubeconfig = self.entries.iter_mut().fold(Kubeconfig::new(), |kubeconfig, entry| {
            kubeconfig.with_context(&entry.name, entry.cluster.clone(), entry.user.current())
        });
        kubeconfig.write(&self.path)
    }

    /// Completes when a credential of an entry was renewed.
    async fn renewed(&mut self) {
        let renewals: Vec<_> = self.entries.iter_mut().map(|entry| Box::pin(entry.user.renewed())).collect();
        if renewals.is_empty() {
            std::future::pending::<()>().await;
        }
        select_all(renewals).await;
    }
}
