//! Runs scripts on threads that may block, of a limited number.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_api::config::InterpreterOperation;
use portolan_lua::{Limits, LuaError};
use portolan_object::Object;
use portolan_plan::propagation::customized::Script;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

/// Scripts of all customizations that run at the same time.
const THREADS: usize = 8;
/// Scripts of one customization that run at the same time.
const THREADS_PER_CUSTOMIZATION: usize = 2;
/// Time that a call waits for a thread. A pass that waits delays other kinds, so it is tried again later instead.
const WAIT: Duration = Duration::from_millis(250);
/// Time for which a script that did not end in time is not run again, so that it does not keep its threads busy.
const PAUSE: Duration = Duration::from_secs(10);
/// Pauses that are remembered.
const MAX_PAUSES: usize = 1_024;

/// A script gave no answer.
#[derive(Debug, thiserror::Error)]
#[error("ResourceInterpreterCustomization {customization}, operation {operation}: {cause}")]
pub(crate) struct ScriptError {
    customization: String,
    operation: InterpreterOperation,
    cause: Cause,
}

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error(transparent)]
    Lua(#[from] LuaError),
    #[error("its scripts are busy; this is tried again")]
    Busy,
    #[error("the script crashed")]
    Crashed,
}

/// Clones share state.
#[derive(Clone)]
pub(super) struct Runner(Arc<Shared>);

struct Shared {
    threads: Arc<Semaphore>,
    of_customizations: Mutex<HashMap<String, Arc<Semaphore>>>,
    /// Scripts that did not end in time, with the end of their pause.
    pauses: Mutex<HashMap<Arc<str>, (Instant, LuaError)>>,
}

impl Runner {
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared {
            threads: Arc::new(Semaphore::new(THREADS)),
            of_customizations: Mutex::default(),
            pauses: Mutex::default(),
        }))
    }

    /// Runs the only script of an operation.
    pub(super) async fn first<T: Send + 'static>(
        &self,
        scripts: &[Arc<Script>],
        object: &Object,
        operation: impl FnOnce(&str, &Object, Limits) -> Result<T, LuaError> + Send + 'static,
    ) -> Result<T, ScriptError> {
        // A provider has at least one script.
        self.run(&scripts[0], object, operation).await
    }

    /// Runs one script.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        script: &Arc<Script>,
        object: &Object,
        operation: impl FnOnce(&str, &Object, Limits) -> Result<T, LuaError> + Send + 'static,
    ) -> Result<T, ScriptError> {
        let result = self.run_within_limits(script, object, operation).await;
        result.map_err(|cause| ScriptError {
            customization: script.customization.clone(),
            operation: script.operation,
            cause,
        })
    }

    async fn run_within_limits<T: Send + 'static>(
        &self,
        script: &Arc<Script>,
        object: &Object,
        operation: impl FnOnce(&str, &Object, Limits) -> Result<T, LuaError> + Send + 'static,
    ) -> Result<T, Cause> {
        self.0.check_pause(&script.source)?;
        let permits = self.0.permits(&script.customization).await.ok_or(Cause::Busy)?;
        self.0.check_pause(&script.source)?;
        let (source, object) = (script.source.clone(), object.clone());
        let call = tokio::task::spawn_blocking(move || {
            let result = operation(&source, &object, Limits::default());
            drop(permits);
            result
        });
        let result = call.await.map_err(|_| Cause::Crashed)?;
        if let Err(error @ LuaError::TooLong(_)) = &result {
            self.0.pause(&script.source, error.clone());
        }
        Ok(result?)
    }
}

impl Shared {
    /// A thread, and one of the customization's.
    async fn permits(&self, customization: &str) -> Option<[OwnedSemaphorePermit; 2]> {
        let own = {
            let mut known = self.of_customizations.lock();
            let new = || Arc::new(Semaphore::new(THREADS_PER_CUSTOMIZATION));
            known.entry(customization.to_owned()).or_insert_with(new).clone()
        };
        let wait = async {
            let own = own.acquire_owned().await.ok()?;
            let any = self.threads.clone().acquire_owned().await.ok()?;
            Some([own, any])
        };
        timeout(WAIT, wait).await.ok().flatten()
    }

    fn check_pause(&self, source: &Arc<str>) -> Result<(), Cause> {
        let mut pauses = self.pauses.lock();
        match pauses.get(source) {
            Some((end, error)) if Instant::now() < *end => Err(Cause::Lua(error.clone())),
            Some(_) => {
                pauses.remove(source);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn pause(&self, source: &Arc<str>, error: LuaError) {
        let mut pauses = self.pauses.lock();
        if pauses.len() >= MAX_PAUSES {
            pauses.clear();
        }
        pauses.insert(source.clone(), (Instant::now() + PAUSE, error));
    }
}
