//! `GET /v2/phone/reports/operationlogs`: a page of the account's records.

use std::sync::Arc;

use chrono::Utc;
use tokio::time::Instant;

use super::access::AccessRefusal;
use super::account::Selection;
use super::pages::Place;
use super::query::Asked;
use super::reply::{self, Reply};
use super::state::{Shared, lock};
use super::throttle::Admission;
use super::{Fault, PageDraft, Paging, SeenRequest, SimulatorConfig};

/// Scopes of which one must be there.
const SCOPES: [&str; 4] =
    [SimulatorConfig::SCOPE, "phone:read:operation_logs:master", "phone:read:admin", "phone:write:admin"];

/// Answers a request with its header `Authorization`.
pub(super) fn answer(shared: &Shared, request: &SeenRequest, authorization: Option<&str>, faults: &[Fault]) -> Reply {
    let stand_in = faults.iter().find_map(Fault::stands_in);
    let reply = stand_in.unwrap_or_else(|| {
        faults.iter().for_each(|fault| suffer(shared, request, fault));
        page_reply(shared, request, authorization, faults).unwrap_or_else(|refusal| refusal)
    });
    faults.iter().fold(reply, |reply, fault| fault.spoil_reply(reply))
}

/// What a fault does to the account and its tokens.
fn suffer(shared: &Shared, request: &SeenRequest, fault: &Fault) {
    match fault {
        Fault::Arrive(records) => lock(&shared.account).add(records.clone()),
        Fault::RevokeAccess => lock(&shared.access).revoke_all(),
        Fault::ExpireToken => {
            if let Some(token) = page_token(request) {
                lock(&shared.pages).expire(token);
            }
        }
        _ => {}
    }
}

fn page_reply(
    shared: &Shared,
    request: &SeenRequest,
    authorization: Option<&str>,
    faults: &[Fault],
) -> Result<Reply, Reply> {
    authorise(shared, authorization)?;
    let remaining_today = admit(shared)?;
    let mut page = page(shared, request, faults)?;
    faults.iter().for_each(|fault| fault.spoil_page(&mut page));
    shared.counters.page();

    let reply = Reply::json(200, page.to_json());
    match (shared.config.rate_limits.per_day, remaining_today) {
        (Some(limit), Some(remaining)) if shared.config.rate_limits_told => Ok(reply
            .with_header("x-ratelimit-category", "Heavy")
            .with_header("x-ratelimit-limit", limit.to_string())
            .with_header("x-ratelimit-remaining", remaining.to_string())),
        _ => Ok(reply),
    }
}

fn authorise(shared: &Shared, authorization: Option<&str>) -> Result<(), Reply> {
    let checked = lock(&shared.access).check(authorization, Instant::now());
    checked.map_err(|refusal| {
        reply::access_refused(match refusal {
            AccessRefusal::Missing => "Requires an access token.",
            AccessRefusal::Unknown => "Invalid access token.",
            AccessRefusal::Expired => "Access token is expired.",
        })
    })?;
    if !shared.config.scopes.iter().any(|scope| SCOPES.contains(&scope.as_str())) {
        return Err(reply::scope_missing(SimulatorConfig::SCOPE));
    }
    if shared.config.phone_enabled { Ok(()) } else { Err(reply::phone_not_enabled()) }
}

/// Lets the request through the rate limits; the number is what is left of the daily one.
fn admit(shared: &Shared) -> Result<Option<u32>, Reply> {
    match lock(&shared.throttle).admit(Instant::now(), Utc::now()) {
        Admission::Granted { remaining_today } => Ok(remaining_today),
        Admission::TooFast => Err(reply::too_fast()),
        Admission::DayUsedUp { until } => {
            Err(reply::day_used_up(shared.config.rate_limits.per_day.unwrap_or_default(), until))
        }
    }
}

fn page(shared: &Shared, request: &SeenRequest, faults: &[Fault]) -> Result<PageDraft, Reply> {
    let config = &shared.config;
    let place = place(shared, request)?;
    let page_size = place.asked.page_size();
    let limits = faults.iter().filter_map(Fault::row_limit).chain(config.page_cap);
    let rows = limits.fold(page_size, u32::min) as usize;

    let account = lock(&shared.account);
    let selection: Arc<Selection<'_>> = match &place.snapshot {
        Some(snapshot) => Arc::<Selection<'static>>::clone(snapshot),
        None => Arc::new(account.select(place.asked.category(), &place.range.instants, config.order)),
    };
    let again = faults.iter().any(|fault| matches!(fault, Fault::DuplicatePage));
    let start = if again { place.offset.saturating_sub(rows) } else { place.offset };
    let operation_logs = account.texts(&selection, start, rows);

    let next = place.offset + rows;
    let ends_openly = faults.iter().any(|fault| matches!(fault, Fault::TokenAtEnd));
    Ok(PageDraft {
        requested_token: page_token(request).map(str::to_owned),
        last_token: config.last_token,
        page_size,
        total_records: config.totals_given.then_some(selection.len() as u64),
        from: place.range.from.clone(),
        to: place.range.to.clone(),
        operation_logs: Some(operation_logs),
        next_page_token: (next < selection.len() || ends_openly).then(|| {
            let snapshot = match config.paging {
                Paging::Live => None,
                Paging::Snapshot => Some(place.snapshot.unwrap_or_else(|| Arc::new(selection.to_snapshot()))),
            };
            let place = Place { offset: next, snapshot, ..place };
            lock(&shared.pages).issue(place, Instant::now())
        }),
    })
}

/// Where the page begins: where its token says, or at the start of a new query.
fn place(shared: &Shared, request: &SeenRequest) -> Result<Place, Reply> {
    let asked = Asked::parse(&request.parameters).map_err(reply::invalid_parameter)?;
    match page_token(request) {
        Some(token) => {
            let place = lock(&shared.pages).redeem(token, &asked, Instant::now());
            place.ok_or_else(reply::page_token_invalid)
        }
        None => {
            let range = asked.range(&shared.config, Utc::now()).map_err(reply::invalid_parameter)?;
            Ok(Place { asked, range, offset: 0, snapshot: None })
        }
    }
}

fn page_token(request: &SeenRequest) -> Option<&str> {
    request.parameter("next_page_token").filter(|token| !token.is_empty())
}
