//! How a simulated account behaves: one options struct, whose default is an empty, unlimited account in UTC.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{FixedOffset, Offset, Utc};

use super::{
    AccountRecord, FaultPlan, Future, GeneratorConfig, LastToken, Latency, LongRange, MonthLength, Paging, RateLimits,
    RecordOrder, SecondWindow, SeenRequest,
};

/// Who may ask for tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The account's id.
    pub account_id: String,
    /// The app's id.
    pub client_id: String,
    /// The app's secret.
    pub client_secret: String,
}

impl Credentials {
    /// The account id unless another is set.
    pub const ACCOUNT_ID: &str = "simulated-account";
    /// The client id unless another is set.
    pub const CLIENT_ID: &str = "simulated-client";
    /// The client secret unless another is set: known to everyone, and good for nothing but a simulator.
    pub const CLIENT_SECRET: &str = "simulated-and-no-secret";
}

impl Default for Credentials {
    fn default() -> Self {
        Self {
            account_id: Self::ACCOUNT_ID.to_owned(),
            client_id: Self::CLIENT_ID.to_owned(),
            client_secret: Self::CLIENT_SECRET.to_owned(),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("account_id", &self.account_id)
            .field("client_id", &self.client_id)
            .field("client_secret", &"***")
            .finish()
    }
}

/// Something to call with every request before it is answered.
#[derive(Clone)]
pub struct RequestHook(Arc<dyn Fn(&SeenRequest) + Send + Sync>);

impl RequestHook {
    pub(super) fn call(&self, request: &SeenRequest) {
        (self.0)(request);
    }
}

impl fmt::Debug for RequestHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestHook")
    }
}

/// The account and the behaviour of its API.
#[derive(Clone, Debug)]
pub struct SimulatorConfig {
    /// Records the account holds from the start.
    pub records: Vec<AccountRecord>,
    /// Records to invent beside them.
    pub generated: Option<GeneratorConfig>,

    /// Who may ask for tokens.
    pub credentials: Credentials,
    /// The scopes of every access token.
    pub scopes: Vec<String>,
    /// How long an access token lasts.
    pub access_token_lifetime: Duration,
    /// Whether an access token ends those given before it.
    pub single_access_token: bool,
    /// Whether token requests may carry their parameters in the query.
    pub token_query_accepted: bool,
    /// Whether token answers carry `api_url`.
    pub api_url_given: bool,

    /// The order of records.
    pub order: RecordOrder,
    /// What the pages of a query are pages of.
    pub paging: Paging,
    /// How long a page token lasts.
    pub page_token_lifetime: Duration,
    /// Whether a page token works once only.
    pub single_use_page_tokens: bool,
    /// How the last page says so.
    pub last_token: LastToken,
    /// The most records of a page, whatever `page_size` asks for; `None` is no such limit.
    pub page_cap: Option<u32>,
    /// Whether pages carry `total_records`.
    pub totals_given: bool,

    /// The offset from UTC of the account's days.
    pub day_offset: FixedOffset,
    /// Whether the day (or second) of `to` belongs to the range.
    pub to_inclusive: bool,
    /// How long the longest range is.
    pub month: MonthLength,
    /// What a longer range brings.
    pub long_range: LongRange,
    /// What a range that goes on after the account's today brings.
    pub future: Future,

    /// Whether the account has the phone system at all.
    pub phone_enabled: bool,
    /// How many requests are let through.
    pub rate_limits: RateLimits,
    /// Which requests count against the limit per second.
    pub second_window: SecondWindow,
    /// Whether pages tell the daily limit and what is left of it.
    pub rate_limits_told: bool,
    /// How long answers take.
    pub latency: Latency,

    /// What goes wrong.
    pub faults: FaultPlan,
    /// Called with every request.
    pub on_request: Option<RequestHook>,
    /// Whether an address that other machines can reach may be served.
    pub remote_access: bool,
}

impl SimulatorConfig {
    /// The scope that the report asks for unless `phone:read:admin` is there.
    pub const SCOPE: &str = "phone:read:operation_logs:admin";
    /// How long access tokens last unless set.
    pub const ACCESS_TOKEN_LIFETIME: Duration = Duration::from_secs(60 * 60);
    /// How long page tokens last unless set.
    pub const PAGE_TOKEN_LIFETIME: Duration = Duration::from_secs(15 * 60);

    /// Calls `hook` with every request before it is answered.
    #[must_use]
    pub fn with_on_request(mut self, hook: impl Fn(&SeenRequest) + Send + Sync + 'static) -> Self {
        self.on_request = Some(RequestHook(Arc::new(hook)));
        self
    }

    /// With [`Self::generated`] records.
    #[must_use]
    pub fn with_generated(mut self, generated: GeneratorConfig) -> Self {
        self.generated = Some(generated);
        self
    }

    /// With pages of at most `rows` records.
    #[must_use]
    pub fn with_page_cap(mut self, rows: u32) -> Self {
        self.page_cap = Some(rows);
        self
    }
}

impl Default for SimulatorConfig {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            generated: None,
            credentials: Credentials::default(),
            scopes: vec![Self::SCOPE.to_owned()],
            access_token_lifetime: Self::ACCESS_TOKEN_LIFETIME,
            single_access_token: false,
            token_query_accepted: true,
            api_url_given: true,
            order: RecordOrder::default(),
            paging: Paging::default(),
            page_token_lifetime: Self::PAGE_TOKEN_LIFETIME,
            single_use_page_tokens: false,
            last_token: LastToken::default(),
            page_cap: None,
            totals_given: true,
            day_offset: Utc.fix(),
            to_inclusive: true,
            month: MonthLength::default(),
            long_range: LongRange::default(),
            future: Future::default(),
            phone_enabled: true,
            rate_limits: RateLimits::OFF,
            second_window: SecondWindow::default(),
            rate_limits_told: false,
            latency: Latency::NONE,
            faults: FaultPlan::new(),
            on_request: None,
            remote_access: false,
        }
    }
}

/// A `with_x` for each option that is set to a value as it is.
macro_rules! options {
    ($($with:ident: $field:ident = $type:ty,)+) => {
        impl SimulatorConfig {
            $(
                #[doc = concat!("With [`Self::", stringify!($field), "`] as given.")]
                #[must_use]
                pub fn $with(mut self, $field: $type) -> Self {
                    self.$field = $field;
                    self
                }
            )+
        }
    };
}

options! {
    with_records: records = Vec<AccountRecord>,
    with_credentials: credentials = Credentials,
    with_scopes: scopes = Vec<String>,
    with_access_token_lifetime: access_token_lifetime = Duration,
    with_single_access_token: single_access_token = bool,
    with_token_query_accepted: token_query_accepted = bool,
    with_api_url_given: api_url_given = bool,
    with_order: order = RecordOrder,
    with_paging: paging = Paging,
    with_page_token_lifetime: page_token_lifetime = Duration,
    with_single_use_page_tokens: single_use_page_tokens = bool,
    with_last_token: last_token = LastToken,
    with_totals_given: totals_given = bool,
    with_day_offset: day_offset = FixedOffset,
    with_to_inclusive: to_inclusive = bool,
    with_month: month = MonthLength,
    with_long_range: long_range = LongRange,
    with_future: future = Future,
    with_phone_enabled: phone_enabled = bool,
    with_rate_limits: rate_limits = RateLimits,
    with_second_window: second_window = SecondWindow,
    with_rate_limits_told: rate_limits_told = bool,
    with_latency: latency = Latency,
    with_faults: faults = FaultPlan,
    with_remote_access: remote_access = bool,
}
