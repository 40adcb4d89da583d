//! Opens a worker's connections to servers, no more than there are descriptors for.

use std::io;
use std::sync::Arc;

use rustix::io::Errno;

use crate::base::Address;
use crate::base::clock::{self, Duration};

use super::Network;
use super::descriptors::{Claim, Descriptors};
use super::stream::Stream;

/// The pause when the system has no descriptor although there should be one, and how often it is
/// made.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(20);
const SHORTAGE_TRIES: u32 = 10;

/// Opens connections to servers for one worker.
#[derive(Clone)]
pub struct Dialer {
    network: Network,
    descriptors: Arc<Descriptors>,
    /// The worker's index.
    worker: usize,
}

impl Dialer {
    /// The dialer of a worker.
    pub fn new(network: Network, descriptors: Arc<Descriptors>, worker: usize) -> Self {
        Self {
            network,
            descriptors,
            worker,
        }
    }

    /// The counter of connections to servers.
    pub fn descriptors(&self) -> &Descriptors {
        &self.descriptors
    }

    /// Opens a connection to `address`, as [`Network::connect`] does, for a client connection with
    /// this claim.
    ///
    /// # Errors
    ///
    /// The system's error. A shortage of descriptors ([`is_shortage`]) only if no room was made in
    /// time.
    ///
    /// # Cancel safety
    ///
    /// An unfinished connection is aborted when it is dropped.
    pub async fn connect(&self, address: &Address, claim: Claim) -> io::Result<Stream> {
        let Some(permit) = self.descriptors.permit(self.worker, claim).await else {
            return Err(Errno::MFILE.into());
        };
        let mut tries = SHORTAGE_TRIES;
        loop {
            match self.network.connect(address).await {
                Ok(stream) => return Ok(stream.holding(permit)),
                // Other parts of the process, or of the system, hold our descriptors.
                Err(error) if is_shortage(&error) && tries > 0 => {
                    tries -= 1;
                    self.ask_for_room();
                    clock::sleep(SHORTAGE_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Asks for room although permits are free: the system has no descriptor.
    pub fn ask_for_room(&self) {
        self.descriptors.ask_for_room(self.worker);
    }

    /// The worker's index.
    pub fn worker(&self) -> usize {
        self.worker
    }
}

/// Whether the system has no descriptor or memory left for a connection.
pub fn is_shortage(error: &io::Error) -> bool {
    let shortages = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS];
    error
        .raw_os_error()
        .is_some_and(|code| shortages.contains(&Errno::from_raw_os_error(code)))
}
