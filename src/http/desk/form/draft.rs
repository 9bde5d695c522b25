//! A dossier while it is typed: its kind, what was typed, the courses that were chosen, and the key under which it is
//! issued once. It lives in the page alone, and comes back with each request.

use serde_json::{Value, json};

use super::seats::{Chosen, chosen, fill};
use super::typed::Typed;
use crate::document::{Document, Kind, Problem};
use crate::http::auth::Caller;
use crate::http::problem::{Refusal, Said, words};
use crate::http::state::Service;
use crate::pipeline::fresh_id;

/// The prefix of the fields that name courses.
pub(super) const COURSE: &str = "cours:";

/// A dossier while it is typed.
pub(super) struct Draft {
    pub(super) kind: Kind,
    /// Under which it is issued once.
    pub(super) key: String,
    pub(super) value: Value,
    pub(super) chosen: Chosen,
    /// The appointment whose courses are shown.
    pub(super) open: Option<String>,
    /// The field to go on with.
    pub(super) focus: Option<String>,
}

impl Draft {
    /// A new one with what it begins with.
    pub(super) fn new(service: &Service, kind: Kind, mut value: Value) -> Self {
        value["kind"] = json!(kind.name());
        let mut regimes = service.rulebook().regimes.keys();
        if value.get("regime").is_none() {
            value["regime"] = json!(regimes.next_back());
        }
        let key = fresh_id(service.at()).to_string();
        Self { kind, key, value, chosen: Chosen::new(), open: None, focus: None }
    }

    /// What was sent; nothing where it is of no kind.
    pub(super) async fn typed(
        service: &Service,
        caller: &Caller,
        typed: &Typed,
    ) -> Result<Self, Refusal> {
        let kind = kind(typed.get("/kind")).ok_or_else(Refusal::not_found)?;
        let mut value = typed.value(service.rulebook().schemas.get(kind));
        value["kind"] = json!(kind.name());
        let named = typed.under(COURSE);
        let chosen = chosen(service, caller, kind, &value, &named).await?;
        fill(&mut value, &chosen);
        let key = typed.get("key").to_owned();
        Ok(Self { kind, key, value, chosen, open: None, focus: None })
    }

    /// Does what a button asks for that changes nothing but the form.
    pub(super) fn turn(&mut self, verb: &str, at: &str) {
        match verb {
            "ajouter" => self.add(at, json!({})),
            "accepter" => {
                self.add("/accepted", json!({ "code": at }));
                self.focus = self.focus.take().map(|it| format!("{it}-reason"));
            }
            "retirer" => {
                let Some((list, index)) = at.rsplit_once('/') else { return };
                let items = self.value.pointer_mut(list).and_then(Value::as_array_mut);
                let index = index.parse::<usize>().ok();
                if let (Some(items), Some(index)) = (items, index)
                    && index < items.len()
                {
                    items.remove(index);
                }
                self.focus = Some(list.to_owned());
            }
            "choisir" => {
                self.open = Some(at.to_owned());
                self.focus = Some(at.to_owned());
            }
            "liberer" => {
                self.chosen.remove(at);
                self.focus = Some(at.to_owned());
            }
            _ => {}
        }
        self.focus = self.focus.take().map(|it| format!("c{}", it.replace('/', "-")));
    }

    /// One more entry in a list, even where the list is not there yet; an empty first one stays one.
    fn add(&mut self, at: &str, item: Value) {
        let mut place = &mut self.value;
        for name in at.split('/').skip(1) {
            let index = name.parse::<usize>().ok().filter(|_| place.is_array());
            place = match index {
                Some(index) if place.get(index).is_some() => &mut place[index],
                Some(_) => return,
                None if place.is_object() || place.is_null() => &mut place[name],
                None => return,
            };
        }
        if place.is_null() {
            *place = json!([]);
        }
        let Some(items) = place.as_array_mut() else { return };
        if items.is_empty() && at != "/accepted" {
            items.push(json!({}));
        }
        items.push(item);
        self.focus = Some(format!("{at}/{}", items.len() - 1));
    }

    /// The data as it is issued.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.value.to_string().into_bytes()
    }

    /// What the rules say of it: the document, or everything that is wrong with it.
    pub(super) async fn check(
        &self,
        service: &Service,
    ) -> Result<Result<Document, Vec<Problem>>, Refusal> {
        let (own, at, input) = (service.clone(), service.at(), self.bytes());
        service.on_a_core(move || Document::check(&input, own.rulebook(), at)).await
    }
}

/// The kind of a name.
pub(super) fn kind(name: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|it| it.name() == name)
}

/// Problems in French, with the labels of the form in place of the names of the data.
pub(super) fn said(service: &Service, problems: &[Problem]) -> Vec<Said> {
    let said = words(problems, service.rulebook(), "fr").into_iter();
    let mend = |mut it: Said| {
        if matches!(it.code, "schema.required" | "schema.too_few") {
            (it.message, it.hint) = ("À remplir.".to_owned(), String::new());
        }
        it.message = labelled(service, &it.message);
        it.hint = labelled(service, &it.hint);
        it
    };
    said.map(mend).collect()
}

/// `« answer_by »` in the words of the form.
fn labelled(service: &Service, text: &str) -> String {
    let quoted = |part: &str| {
        let (name, rest) = part.split_once('»')?;
        let label = service.wording().label(name.trim())?;
        Some(format!("\u{a0}{label}\u{a0}»{rest}"))
    };
    let mut parts = text.split('«');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |said, part| said + "«" + &quoted(part).unwrap_or_else(|| part.to_owned()))
}
