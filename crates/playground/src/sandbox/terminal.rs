//! A pseudo-terminal.

use std::fs::File;
use std::io;
use std::sync::Arc;

use nix::errno::Errno;
use rustix::io::ioctl_fionbio;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::sync::Mutex;

/// Controlling side of a pseudo-terminal. Clones share state.
#[derive(Debug, Clone)]
pub(crate) struct Terminal(Arc<Controller>);

/// Tokio has no type for terminals; its pipe types accept any pollable file.
#[derive(Debug)]
struct Controller {
    file: File,
    output: Mutex<Receiver>,
    input: Mutex<Sender>,
}

impl Terminal {
    /// Opens a terminal; the file is the side for the program.
    pub(crate) fn open() -> io::Result<(Self, File)> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let controller = openpt(flags)?;
        grantpt(&controller)?;
        unlockpt(&controller)?;
        let terminal = ioctl_tiocgptpeer(&controller, flags)?;
        ioctl_fionbio(&controller, true)?;
        let file = File::from(controller);
        let output = Mutex::new(Receiver::from_file_unchecked(file.try_clone()?)?);
        let input = Mutex::new(Sender::from_file_unchecked(file.try_clone()?)?);
        Ok((Self(Arc::new(Controller { file, output, input })), File::from(terminal)))
    }

    /// Reads output; 0 when all programs have closed the terminal.
    pub(crate) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.output.lock().await.read(buffer).await {
            // Linux returns EIO when the other side is closed.
            Err(error) if error.raw_os_error() == Some(Errno::EIO as i32) => Ok(0),
            read => read,
        }
    }

    /// Writes input.
    pub(crate) async fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        self.0.input.lock().await.write_all(bytes).await
    }

    /// Sets the size.
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // A wrong size is not fatal.
        let _ = tcsetwinsize(&self.0.file, size);
    }
}
