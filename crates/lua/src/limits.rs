//! Limits of one call.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use mlua::{HookTriggers, Lua, VmState};

/// Instructions between two looks at the clock: some microseconds.
const CHECK_INTERVAL: u32 = 1_000;

/// What one call of a script may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time from the start of the call to its end. Karmada's is one second too.
    pub time: Duration,
    /// Memory of the Lua state, in bytes; an object and its copy in tables have to fit.
    pub memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: Duration::from_secs(1), memory: 64 << 20 }
    }
}

/// The end of a call. Clones share state.
#[derive(Debug, Clone)]
pub(crate) struct Deadline {
    at: Instant,
    /// The deadline has stopped the script.
    has_struck: Rc<Cell<bool>>,
}

impl Deadline {
    pub(crate) fn after(time: Duration) -> Self {
        Self { at: Instant::now() + time, has_struck: Rc::default() }
    }

    /// Whether the call has to end. Stays true once it was.
    pub(crate) fn is_over(&self) -> bool {
        if !self.has_struck.get() && Instant::now() >= self.at {
            self.has_struck.set(true);
        }
        self.has_struck.get()
    }

    /// # Errors
    /// When the call has to end. [`crate::libraries`] lets no script catch this error.
    pub(crate) fn check(&self) -> mlua::Result<()> {
        if self.is_over() { Err(mlua::Error::RuntimeError("the time is over".to_owned())) } else { Ok(()) }
    }

    /// Stops the script when the time is over.
    pub(crate) fn watch(&self, lua: &Lua) -> mlua::Result<()> {
        let deadline = self.clone();
        let triggers = HookTriggers::new().every_nth_instruction(CHECK_INTERVAL);
        lua.set_global_hook(triggers, move |_, _| deadline.check().map(|()| VmState::Continue))
    }
}
