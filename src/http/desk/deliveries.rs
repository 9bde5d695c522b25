//! What became of the mails: who did not get theirs, why, and what to do about it.
//!
//! A filter in, a list out; one mail in, its tries and what a person may decide now out.

use axum::extract::{Form, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{DateTime, Days, NaiveDate, TimeZone, Utc};
use chrono_tz::Europe::Paris;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::auth::Agent;
use super::super::documents::Piece;
use super::super::extract::Id;
use super::super::page;
use super::super::problem::Refusal;
use super::super::state::Service;
use crate::config::LinkSection;
use crate::pipeline::{day_of_end, end_of_day};
use crate::store::{
    Delivery, DeliveryFilter, DeliveryState, Held, LinkState, Page, Resolution, StoreError, Try,
};

/// How many are on a page.
const SHOWN: u32 = 50;

/// What waits for a person.
const OPEN: [DeliveryState; 4] =
    [DeliveryState::InDoubt, DeliveryState::Bounced, DeliveryState::Failed, DeliveryState::Late];

/// What a form asks for; an empty field asks nothing.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    state: String,
    #[serde(default)]
    address: String,
    #[serde(default)]
    merge: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    after: Option<Uuid>,
}

#[derive(Serialize)]
struct Listed<'a> {
    csrf: &'a str,
    writes: bool,
    state: &'a str,
    address: &'a str,
    merge: &'a str,
    from: &'a str,
    to: &'a str,
    items: Vec<Seen>,
    next: Option<String>,
}

/// A mail, and why it stands as it does, in words.
#[derive(Serialize)]
struct Seen {
    #[serde(flatten)]
    delivery: Delivery,
    why: String,
}

/// What these words follow from.
#[derive(Serialize)]
struct Why {
    state: DeliveryState,
    status: Option<String>,
}

/// The list: at first what waits for a person.
pub(super) async fn list(
    State(service): State<Service>,
    agent: Agent,
    Query(asked): Query<Asked>,
) -> Result<Response, Refusal> {
    let (scope, at) = (agent.caller.scope(), service.at());
    let text = |text: &str| Some(text.trim().to_owned()).filter(|it| !it.is_empty());
    let named = DeliveryState::ALL.into_iter().find(|it| it.as_str() == asked.state);
    let states = match asked.state.as_str() {
        "" => OPEN.to_vec(),
        _ => named.into_iter().collect(),
    };
    let day = |text: &str| text.parse::<NaiveDate>().ok();
    let filter = DeliveryFilter {
        states,
        document: None,
        merge: asked.merge.parse().ok(),
        recipient: text(&asked.address),
        since: day(&asked.from).and_then(midnight),
        before: day(&asked.to).and_then(|it| midnight(it + Days::new(1))),
    };
    let page = Page { after: asked.after, most: SHOWN + 1 };
    let store = &agent.caller.pipeline(&service).store;
    let items = store.deliveries(&scope, &filter, page).await?;
    if filter.recipient.is_some() {
        for it in &items {
            store.note(&scope, it.id, "listed", "", at).await?;
        }
    }
    let Piece { items, next } = Piece::of(items, SHOWN, |it| it.id.to_string());
    let next = next.map(|after| {
        let parts = [
            ("state", asked.state.as_str()),
            ("address", &asked.address),
            ("merge", &asked.merge),
            ("from", &asked.from),
            ("to", &asked.to),
            ("after", &after),
        ];
        parts.map(|(name, value)| format!("{name}={}", page::escape(value))).join("&")
    });
    let values = Listed {
        csrf: &agent.csrf,
        writes: agent.caller.may_write().is_ok(),
        state: if asked.state.is_empty() { "open" } else { &asked.state },
        address: &asked.address,
        merge: &asked.merge,
        from: &asked.from,
        to: &asked.to,
        items: items.into_iter().map(|it| Seen::of(&service, it)).collect::<Result<_, _>>()?,
        next,
    };
    Ok(page::desk(&service, "desk/deliveries.html.j2", Some(&agent.csrf), values)?.into_response())
}

#[derive(Serialize)]
struct Shown<'a> {
    csrf: &'a str,
    delivery: Seen,
    tries: Vec<Try>,
    held: Option<Held>,
    link: Option<LinkState>,
    /// The last day that it opens, as the mail says it.
    link_day: Option<String>,
    writes: bool,
    decides: bool,
}

/// One mail.
pub(super) async fn show(
    State(service): State<Service>,
    agent: Agent,
    Id(id): Id,
) -> Result<Response, Refusal> {
    let (caller, at) = (&agent.caller, service.at());
    let (scope, store) = (caller.scope(), &caller.pipeline(&service).store);
    let (delivery, tries) = store.delivery(&scope, id).await?;
    store.note(&scope, id, "read", "", at).await?;
    let held = match store.document(&scope, delivery.document, at).await {
        Ok(held) => Some(held),
        Err(StoreError::Erased) => None,
        Err(error) => return Err(error.into()),
    };
    let link = store.link(&scope, id, at).await?;
    let day = link.map(|it| day_of_end(it.expires_at).format("%d/%m/%Y").to_string());
    let values = Shown {
        csrf: &agent.csrf,
        delivery: Seen::of(&service, delivery)?,
        tries,
        held,
        link,
        link_day: day,
        writes: caller.may_write().is_ok(),
        decides: caller.may_decide().is_ok(),
    };
    Ok(page::desk(&service, "desk/delivery.html.j2", Some(&agent.csrf), values)?.into_response())
}

#[derive(Debug, Deserialize)]
pub(super) struct Decided {
    csrf: String,
    decision: Decision,
}

/// What a person decides about a mail.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Decision {
    Retry,
    Cancel,
    Accepted,
    SendAgain,
    GiveUp,
    Reopen,
}

/// Does what was decided.
pub(super) async fn decide(
    State(service): State<Service>,
    agent: Agent,
    Id(id): Id,
    Form(decided): Form<Decided>,
) -> Result<Response, Refusal> {
    agent.check(&decided.csrf)?;
    let (caller, at) = (&agent.caller, service.at());
    let (scope, store) = (caller.scope(), &caller.pipeline(&service).store);
    let resolution = match decided.decision {
        Decision::Retry | Decision::Cancel | Decision::Reopen => None,
        Decision::Accepted => Some(Resolution::Accepted),
        Decision::SendAgain => Some(Resolution::SendAgain),
        Decision::GiveUp => Some(Resolution::GiveUp),
    };
    match resolution {
        Some(resolution) => {
            caller.may_decide()?;
            store.resolve(&scope, id, resolution, at).await?;
        }
        None => {
            caller.may_write()?;
            match decided.decision {
                Decision::Cancel => store.cancel(&scope, id, at).await?,
                Decision::Reopen => {
                    let days = service.config().mail.link.as_ref().map_or(30, LinkSection::days);
                    let until = end_of_day(at.date_naive() + Days::new(days.into()));
                    store.reopen_link(&scope, id, until, at).await?;
                }
                _ => store.retry(&scope, id, at).await?,
            }
        }
    }
    Ok(Redirect::to(&format!("/envois/{id}")).into_response())
}

impl Seen {
    fn of(service: &Service, delivery: Delivery) -> Result<Self, Refusal> {
        let why = Why { state: delivery.state, status: delivery.reply.as_deref().and_then(status) };
        let axum::response::Html(why) = page::render(service, "desk/why.html.j2", why)?;
        Ok(Self { delivery, why })
    }
}

/// The enhanced status of a reply, such as `5.1.1` (RFC 3463, 2); without one, the class of the reply's code.
fn status(reply: &str) -> Option<String> {
    let words = || reply.split(|it: char| !(it.is_ascii_digit() || it == '.'));
    let class = |it: &str| matches!(it.as_bytes().first(), Some(b'2' | b'4' | b'5'));
    let enhanced = |it: &&str| {
        let parts: Vec<_> = it.split('.').collect();
        parts.len() == 3 && parts.iter().all(|it| (1..=3).contains(&it.len())) && class(it)
    };
    let code = |it: &&str| it.len() == 3 && !it.contains('.') && class(it);
    let found = words().find(enhanced).map(str::to_owned);
    found.or_else(|| words().find(code).map(|it| it[..1].to_owned()))
}

/// The first moment of a day in Paris.
fn midnight(day: NaiveDate) -> Option<DateTime<Utc>> {
    let local = Paris.from_local_datetime(&day.and_time(chrono::NaiveTime::MIN));
    local.earliest().map(|it| it.with_timezone(&Utc))
}
