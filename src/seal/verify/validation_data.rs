//! The document security store (ETSI EN 319 142-1, 5.4): certificates, lists and answers that the
//! file holds for later verification, and what a revision may change of it.

use std::collections::BTreeSet;

use super::certificate::Certificate;
use super::difference::Comparison;
use super::fault::{Checked, Fault, ensure};
use super::file::File;
use super::object::{Dict, Object};
use super::revocation::Statements;

/// How many certificates and statements are looked at.
const ITEMS: usize = 64;
const LISTS: [&str; 3] = ["Certs", "CRLs", "OCSPs"];

/// What the store of a view holds. What cannot be read is left out: it vouches for nothing.
#[derive(Default)]
pub(super) struct ValidationData {
    pub(super) certificates: Vec<Certificate>,
    pub(super) statements: Statements,
}

impl ValidationData {
    pub(super) fn of(file: &File<'_>, view: usize) -> Checked<Self> {
        let catalog = file.catalog(view)?;
        let mut data = Self::default();
        let store = catalog.dict().map(|it| file.value(view, it, "DSS")).transpose()?.flatten();
        let Some(store) = store.as_ref().and_then(|it| it.dict()) else { return Ok(data) };
        for key in LISTS {
            let list = file.value(view, store, key)?;
            let list = list.as_ref().and_then(|it| it.array()).unwrap_or_default();
            ensure(list.len() <= ITEMS, "file.too_complex")?;
            for item in list {
                let Object::Stream(stream) = &*file.resolve(view, item)? else { continue };
                let bytes = file.decoded(stream)?;
                match key {
                    "Certs" => data.certificates.extend(Certificate::read(&bytes)),
                    "CRLs" => data.statements.add_list(bytes.to_vec()),
                    _ => data.statements.add_answer(bytes.to_vec()),
                }
            }
        }
        Ok(data)
    }
}

impl Comparison<'_, '_> {
    /// Explains a new or longer store; says whether there is one that the revision brought.
    pub(super) fn validation_data(&mut self, root: u32, old: &Dict, new: &Dict) -> Checked<bool> {
        let Some(place) = new.get("DSS") else { return Ok(false) };
        let shape = self.shape(self.new, place)?;
        let had = match old.get("DSS") {
            Some(it) => self.shape(self.old, it)?,
            None => BTreeSet::new(),
        };
        let mut owners: BTreeSet<u32> = shape.clone();
        owners.insert(root);
        let mut brought = old.get("DSS") != new.get("DSS");
        for number in shape {
            if !self.brings(number) {
                continue;
            }
            brought = true;
            // One that was there before was part of the store then, and of nothing else since.
            let part = had.contains(&number) || !self.file.has(self.old, number);
            let own = self.after.within(number, &owners);
            if part && own && (had.contains(&number) || !self.before.has(number)) {
                self.explained.insert(number);
            }
        }
        for key in LISTS {
            let store = self.file.resolve(self.new, place)?;
            let list = store.dict().map(|it| self.file.value(self.new, it, key)).transpose()?;
            let list = list.flatten();
            for item in list.as_ref().and_then(|it| it.array()).unwrap_or_default() {
                self.explain_statement(item)?;
            }
        }
        Ok(brought)
    }

    /// A certificate, list or answer: new streams of the revision, which show nothing.
    fn explain_statement(&mut self, item: &Object) -> Checked<()> {
        let stream = self.file.resolve(self.new, item)?;
        ensure(matches!(*stream, Object::Stream(_)), "dss.syntax")?;
        self.explain(item)
    }

    /// The numbers of the dictionaries and lists that make up a store, of the form it must have.
    fn shape(&self, view: usize, store: &Object) -> Checked<BTreeSet<u32>> {
        let mut numbers = BTreeSet::new();
        let mut open = |value: &Object| -> Checked<_> {
            numbers.extend(value.reference().map(|it| it.0));
            self.file.resolve(view, value)
        };
        let wrong = || Fault::new("dss.syntax");
        let store = open(store)?;
        let store = store.dict().ok_or_else(wrong)?;
        ensure(store.only(&["Type", "VRI", "Certs", "CRLs", "OCSPs"]), "dss.syntax")?;
        for key in LISTS {
            if let Some(list) = store.get(key) {
                let list = open(list)?;
                references(list.array().ok_or_else(wrong)?)?;
            }
        }
        let Some(vri) = store.get("VRI") else { return Ok(numbers) };
        let vri = open(vri)?;
        for (key, entry) in vri.dict().ok_or_else(wrong)?.entries() {
            let hash = key.len() == 40 && key.iter().all(u8::is_ascii_hexdigit);
            ensure(hash || key == b"Type", "dss.syntax")?;
            if !hash {
                continue;
            }
            let entry = open(entry)?;
            let entry = entry.dict().ok_or_else(wrong)?;
            ensure(entry.only(&["Type", "Cert", "CRL", "OCSP", "TU", "TS"]), "dss.syntax")?;
            for key in ["Cert", "CRL", "OCSP"] {
                if let Some(list) = entry.get(key) {
                    let list = open(list)?;
                    references(list.array().ok_or_else(wrong)?)?;
                }
            }
        }
        Ok(numbers)
    }
}

fn references(items: &[Object]) -> Checked<()> {
    ensure(items.iter().all(|it| it.reference().is_some()), "dss.syntax")
}
