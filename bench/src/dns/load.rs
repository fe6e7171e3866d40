//! Asking: as fast as answers come back, and at a fixed rate.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::questions::Questions;
use super::socket::{BATCH, Batches, Wait, send};

/// Sockets, so that the answers are not all for one flow.
const SOCKETS: usize = 4;
/// Queries under way on each socket.
const WINDOW: usize = 64;
/// An answer that takes longer is lost.
const LOST_AFTER: Duration = Duration::from_millis(500);
/// Time for a server to answer at all.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// Identities of queries; as many can be under way at a fixed rate.
const IDENTITIES: usize = 1 << 16;

/// One server and the questions for it.
pub(super) struct Load<'a> {
    sockets: Vec<UdpSocket>,
    questions: &'a Questions,
    is_echo: bool,
}

/// Result of a load.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    pub(super) answered: u64,
    pub(super) wrong: u64,
    pub(super) lost: u64,
    pub(super) elapsed: Duration,
    /// From the time at which each query was due to its answer; only at a fixed rate.
    pub(super) latencies: Vec<Duration>,
}

impl Asked {
    /// Answers per second.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53 answers")]
    pub(super) fn rate(&self) -> f64 {
        self.answered as f64 / self.elapsed.as_secs_f64()
    }
}

impl<'a> Load<'a> {
    pub(super) fn new(server: SocketAddr, questions: &'a Questions, is_echo: bool) -> Result<Self> {
        let connect = || {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.set_read_timeout(Some(LOST_AFTER))?;
            socket.connect(server)?;
            Ok(socket)
        };
        let sockets: std::io::Result<Vec<UdpSocket>> = (0..SOCKETS).map(|_| connect()).collect();
        Ok(Self { sockets: sockets.context("cannot make sockets")?, questions, is_echo })
    }

    /// Waits until the server answers the first question as it should.
    pub(super) fn wait_until_ready(&self) -> Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        let (mut batches, socket) = (Batches::new(), &self.sockets[0]);
        loop {
            let mut is_right = false;
            // Until the server listens, sending and receiving fail with ECONNREFUSED.
            let asked = send(socket, &self.questions.packets[..1]);
            let received = asked.and_then(|()| {
                batches.receive(socket, Wait::ForOne, |answer| is_right |= self.is_right(0, answer))
            });
            match received {
                Ok(_) if is_right => break,
                _ if Instant::now() > deadline => bail!("the server does not answer"),
                Ok(_) => {}
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        }
        // Answers to the earlier attempts.
        while batches.receive(socket, Wait::No, |_| {})? > 0 {}
        Ok(())
    }

    fn is_right(&self, question: usize, answer: &[u8]) -> bool {
        if self.is_echo {
            return answer.len() == self.questions.packets[question].len();
        }
        let (code, records) = self.questions.wanted[question];
        answer.len() > 12 && answer[3] & 0x0F == code && u16::from_be_bytes([answer[6], answer[7]]) == records
    }

    /// The question that an identity stands for, on any socket.
    fn question_of(&self, identity: usize) -> usize {
        identity % self.questions.packets.len().min(IDENTITIES)
    }

    /// Asks as fast as answers come back.
    pub(super) fn closed(&self, duration: Duration) -> Result<Asked> {
        let mut asked = Asked::default();
        let mut batches = Batches::new();
        let mut out: Vec<Vec<u8>> = vec![Vec::new(); BATCH];
        let mut next = 0usize;
        let mut under_way = [0usize; SOCKETS];
        let start = Instant::now();
        while start.elapsed() < duration {
            for (socket, under_way) in self.sockets.iter().zip(&mut under_way) {
                let room = (WINDOW - *under_way).min(BATCH);
                for packet in &mut out[..room] {
                    self.write(next, packet);
                    next = (next + 1) % IDENTITIES;
                }
                send(socket, &out[..room])?;
                *under_way += room;
            }
            for (socket, under_way) in self.sockets.iter().zip(&mut under_way) {
                let take = |answer: &[u8]| _ = self.check(answer, &mut asked);
                let count = batches.receive(socket, Wait::ForOne, take)?;
                if count == 0 {
                    asked.lost += u64::try_from(*under_way)?;
                    *under_way = 0;
                }
                *under_way = under_way.saturating_sub(count);
            }
        }
        asked.elapsed = start.elapsed();
        for socket in &self.sockets {
            // What is still under way belongs to no measurement.
            let deadline = Instant::now() + LOST_AFTER;
            while Instant::now() < deadline && batches.receive(socket, Wait::No, |_| {})? > 0 {}
        }
        Ok(asked)
    }

    /// Asks at a fixed rate, whether or not answers come back.
    pub(super) fn open(&self, rate: f64, duration: Duration) -> Result<Asked> {
        let mut asked = Asked::default();
        let mut batches = Batches::new();
        let mut due_times: Vec<Option<Duration>> = vec![None; IDENTITIES];
        let interval = Duration::from_secs_f64(1.0 / rate.max(1.0));
        let (mut due, mut next, mut sent) = (Duration::ZERO, 0usize, 0u64);
        let mut packet = vec![Vec::new()];
        let start = Instant::now();
        loop {
            let now = start.elapsed();
            if now > duration + LOST_AFTER || (now > duration && asked.answered + asked.wrong == sent) {
                break;
            }
            // A few at most before looking for answers, however late this process is.
            for _ in 0..BATCH {
                if due > now || due > duration {
                    break;
                }
                self.write(next, &mut packet[0]);
                due_times[next] = Some(due);
                send(&self.sockets[next % SOCKETS], &packet)?;
                (next, sent, due) = ((next + 1) % IDENTITIES, sent + 1, due + interval);
            }
            for socket in &self.sockets {
                batches.receive(socket, Wait::No, |answer| {
                    let arrived = start.elapsed();
                    let Some(identity) = self.check(answer, &mut asked) else { return };
                    if let Some(due) = due_times[identity].take() {
                        asked.latencies.push(arrived.saturating_sub(due));
                    }
                })?;
            }
        }
        asked.elapsed = duration;
        asked.lost = sent.saturating_sub(asked.answered + asked.wrong);
        Ok(asked)
    }

    fn write(&self, identity: usize, packet: &mut Vec<u8>) {
        packet.clear();
        packet.extend_from_slice(&self.questions.packets[self.question_of(identity)]);
        // There are 2^16 identities.
        packet[..2].copy_from_slice(&u16::try_from(identity).unwrap_or_default().to_be_bytes());
    }

    /// Counts an answer and returns its identity when it is right.
    fn check(&self, answer: &[u8], asked: &mut Asked) -> Option<usize> {
        let identity = answer.get(..2).map(|id| usize::from(u16::from_be_bytes([id[0], id[1]])));
        match identity.filter(|&identity| self.is_right(self.question_of(identity), answer)) {
            Some(identity) => {
                asked.answered += 1;
                Some(identity)
            }
            None => {
                asked.wrong += 1;
                None
            }
        }
    }
}
