//! The termination state of HAProxy's log, which operators search for: two letters made of our
//! reason, by one table.
//!
//! The first letter is the cause, the second the step that the exchange had reached (HAProxy's
//! configuration manual, section 8.5). `observe` writes them and the page of the table.

use super::Reason;

/// The step that an exchange had reached when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The request was not complete, or not passed on.
    Request,
    /// It waited for a slot at a server.
    Queue,
    /// It waited for the connection to a server.
    Connect,
    /// It waited for the head of the response.
    Headers,
    /// The response was passed on.
    Data,
    /// A rule lets the client wait for a refusal.
    Tarpit,
}

/// The termination state that a reason stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Termination {
    /// HAProxy's letter for the cause.
    pub cause: u8,
    /// `None`: the step that the exchange had reached.
    pub step: Option<Step>,
}

impl Step {
    /// HAProxy's letter.
    pub fn letter(self) -> u8 {
        match self {
            Self::Request => b'R',
            Self::Queue => b'Q',
            Self::Connect => b'C',
            Self::Headers => b'H',
            Self::Data => b'D',
            Self::Tarpit => b'T',
        }
    }
}

impl Termination {
    /// The row of `reason`.
    pub fn of(reason: Reason) -> Self {
        use Reason as R;
        use Step::{Connect, Data, Headers, Queue, Request, Tarpit};
        let (cause, step) = match reason {
            R::RequestHeadTimeout | R::HelloTimeout => (b'c', Some(Request)),
            R::RequestHeadMalformed
            | R::RequestHeadTooLarge
            | R::RequestHeadsTooLarge
            | R::RequestTargetTooLong
            | R::RequestTargetForm
            | R::RequestHostMissing
            | R::RequestHostDuplicate
            | R::RequestHostMalformed
            | R::RequestHostConflict
            | R::RequestHostMisdirected
            | R::RequestTlsOutdated
            | R::RequestAddressOutdated
            | R::RequestMethodRefused
            | R::RequestMethodTooLong
            | R::RequestTransferCoding
            | R::RequestUpgradeBody
            | R::RequestUpgradeKey
            | R::RequestProtocolRefused
            | R::RequestExpectation
            | R::RequestFieldName
            | R::RequestPathAmbiguous
            | R::HelloMalformed
            | R::RouteNone
            | R::RouteCertificate
            | R::RuleDenied
            | R::RuleUnauthorized
            | R::RuleRejected
            | R::RuleDropped
            | R::RuleRateLimited
            | R::RuleInvalidValue => (b'P', Some(Request)),
            R::RuleForwardAuthRefused => (b'P', Some(Request)),
            R::RuleAuthBusy | R::RuleForwardAuthFailed => (b'R', Some(Request)),
            R::RuleTarpitted => (b'P', Some(Tarpit)),
            R::RuleReturned | R::RuleRedirected | R::RuleMonitor => (b'L', Some(Request)),
            R::RequestBodyTimeout => (b'c', None),
            R::ClientStalled => (b'c', Some(Data)),
            R::ClientLeft => (b'C', None),
            R::RequestBodyMalformed
            | R::RequestBodyTooLarge
            | R::ClientProtocol
            | R::ClientFlood
            | R::UpgradeUnsupported => (b'P', None),
            R::QueueFull => (b'S', Some(Queue)),
            R::QueueTimeout => (b's', Some(Queue)),
            R::BackendNoServer
            | R::ServerConnectRefused
            | R::ServerConnectFailed
            | R::ServerTlsHandshake
            | R::ServerTlsCertificate => (b'S', Some(Connect)),
            R::ServerConnectTimeout => (b's', Some(Connect)),
            R::ServerStreamRefused | R::ServerResponseEmpty | R::ServerResponseUnwanted => {
                (b'S', Some(Headers))
            }
            R::ServerResponseMalformed | R::ServerResponseInterim => (b'P', Some(Headers)),
            R::ServerResponseTimeout => (b's', Some(Headers)),
            R::ServerBodyIncomplete | R::ServerLeft => (b'S', Some(Data)),
            R::ServerBodyTimeout | R::TunnelIdle => (b's', Some(Data)),
            R::ServerBodyMalformed => (b'P', Some(Data)),
            R::ExchangeTimeout => (b's', None),
            R::TunnelDrained => (b'K', Some(Data)),
            R::ProxyStopped => (b'K', None),
            R::ProxyDescriptors => (b'R', None),
            R::ProxyPanic => (b'I', None),
        };
        Self { cause, step }
    }

    /// The two letters of an exchange that had reached `reached`.
    pub fn letters(self, reached: Step) -> [u8; 2] {
        [self.cause, self.step.unwrap_or(reached).letter()]
    }
}
