//! What the handlers of a running simulator share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::access::AccessTokens;
use super::account::Account;
use super::opaque::Opaque;
use super::pages::PageTokens;
use super::stats::Counters;
use super::throttle::Throttle;
use super::{Endpoint, Fault, FaultPlan, SeenRequest, SimulatorConfig};

/// The account and everything the server remembers.
pub(super) struct Shared {
    pub(super) config: SimulatorConfig,
    pub(super) origin: String,
    pub(super) account: Mutex<Account>,
    pub(super) access: Mutex<AccessTokens>,
    pub(super) pages: Mutex<PageTokens>,
    pub(super) throttle: Mutex<Throttle>,
    pub(super) faults: Mutex<FaultPlan>,
    pub(super) chance: Mutex<Opaque>,
    pub(super) counters: Counters,
    /// Ends, or turns true, when the simulator shuts down.
    pub(super) closing: watch::Receiver<bool>,
}

/// Locks a mutex. A panic elsewhere (in a test's closure) leaves no state half changed here.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(
        mut config: SimulatorConfig,
        account: Account,
        origin: String,
        closing: watch::Receiver<bool>,
    ) -> Self {
        Self {
            origin,
            account: Mutex::new(account),
            access: Mutex::new(AccessTokens::new(config.access_token_lifetime, config.single_access_token)),
            pages: Mutex::new(PageTokens::new(config.page_token_lifetime, config.single_use_page_tokens)),
            throttle: Mutex::new(Throttle::new(config.rate_limits, config.second_window)),
            faults: Mutex::new(std::mem::take(&mut config.faults)),
            chance: Mutex::new(Opaque::new()),
            counters: Counters::default(),
            closing,
            config,
        }
    }

    /// Takes note of a request, and tells which faults strike it.
    pub(super) fn see(&self, endpoint: Endpoint, parameters: Vec<(String, String)>) -> (SeenRequest, Vec<Fault>) {
        let request = SeenRequest { endpoint, number: self.counters.request(endpoint), parameters };
        if let Some(hook) = &self.config.on_request {
            hook.call(&request);
        }
        let faults = lock(&self.faults).strike(&request);
        self.counters.faults(faults.len());
        (request, faults)
    }

    /// Waits as long as faults demand: to the end of the simulator, it may be.
    pub(super) async fn endure(&self, faults: &[Fault]) {
        for fault in faults {
            match fault {
                Fault::Delay(time) => tokio::time::sleep(*time).await,
                Fault::Hang => {
                    // Ends in an error when the sender is gone, which means the same.
                    let _ = self.closing.clone().wait_for(|closing| *closing).await;
                }
                _ => {}
            }
        }
    }
}
