//! A pseudo-terminal: what a program takes for a screen and a keyboard is read and written here.

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

/// The near side of a terminal. Clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct Terminal(Arc<Near>);

/// The runtime has no type of its own for terminals; those of pipes take any file that can be waited for.
#[derive(Debug)]
struct Near {
    file: File,
    screen: Mutex<Receiver>,
    keyboard: Mutex<Sender>,
}

impl Terminal {
    /// Opens a terminal; the file is the far side, for the program.
    pub(crate) fn open() -> io::Result<(Self, File)> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let near = openpt(flags)?;
        grantpt(&near)?;
        unlockpt(&near)?;
        let far = ioctl_tiocgptpeer(&near, flags)?;
        ioctl_fionbio(&near, true)?;
        let file = File::from(near);
        let screen = Mutex::new(Receiver::from_file_unchecked(file.try_clone()?)?);
        let keyboard = Mutex::new(Sender::from_file_unchecked(file.try_clone()?)?);
        Ok((Self(Arc::new(Near { file, screen, keyboard })), File::from(far)))
    }

    /// What programs have written; 0 when none is left that could.
    pub(crate) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.screen.lock().await.read(buffer).await {
            // How the kernel tells that the far side is closed.
            Err(error) if error.raw_os_error() == Some(Errno::EIO as i32) => Ok(0),
            read => read,
        }
    }

    /// Types.
    pub(crate) async fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        self.0.keyboard.lock().await.write_all(bytes).await
    }

    /// Sets the size of the screen.
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // A screen of the wrong size is still one.
        let _ = tcsetwinsize(&self.0.file, size);
    }
}
