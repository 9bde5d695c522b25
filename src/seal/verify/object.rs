//! PDF objects as the verifier compares them: values, with the place of strings and streams.

use std::ops::Range;

/// A PDF object (ISO 32000-1, 7.3).
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Object {
    Null,
    Bool(bool),
    Integer(i64),
    Real(f64),
    Name(Vec<u8>),
    String(Box<Text>),
    Array(Vec<Object>),
    Dict(Dict),
    Stream(Box<Stream>),
    Reference(u32, u16),
}

/// A string: what it says and where it stands, brackets included. Equal when it says the same.
#[derive(Debug, Clone)]
pub(super) struct Text {
    pub(super) bytes: Vec<u8>,
    pub(super) place: Range<usize>,
}

/// A dictionary: entries in the order of their keys, none twice.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Dict(Vec<(Vec<u8>, Object)>);

/// A stream: its dictionary and where its bytes stand in the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stream {
    pub(super) dict: Dict,
    pub(super) data: Range<usize>,
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Object {
    pub(super) fn integer(&self) -> Option<i64> {
        if let Self::Integer(it) = self { Some(*it) } else { None }
    }

    /// An integer that counts or places something.
    pub(super) fn size(&self) -> Option<usize> {
        self.integer().and_then(|it| usize::try_from(it).ok())
    }

    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Integer(it) => Some(*it as f64),
            Self::Real(it) => Some(*it),
            _ => None,
        }
    }

    pub(super) fn is_name(&self, name: &str) -> bool {
        matches!(self, Self::Name(it) if it == name.as_bytes())
    }

    pub(super) fn text(&self) -> Option<&Text> {
        if let Self::String(it) = self { Some(it) } else { None }
    }

    pub(super) fn array(&self) -> Option<&[Object]> {
        if let Self::Array(it) = self { Some(it) } else { None }
    }

    pub(super) fn reference(&self) -> Option<(u32, u16)> {
        if let Self::Reference(number, generation) = self {
            Some((*number, *generation))
        } else {
            None
        }
    }

    /// The dictionary itself, or that of a stream.
    pub(super) fn dict(&self) -> Option<&Dict> {
        match self {
            Self::Dict(it) => Some(it),
            Self::Stream(it) => Some(&it.dict),
            _ => None,
        }
    }

    /// What stands directly inside.
    pub(super) fn children(&self) -> Box<dyn Iterator<Item = &Object> + '_> {
        match self {
            Self::Array(it) => Box::new(it.iter()),
            _ => Box::new(self.dict().into_iter().flat_map(|it| it.0.iter().map(|(_, it)| it))),
        }
    }

    /// Calls `see` with the number of every object that is referred to here, at any depth.
    pub(super) fn references(&self, see: &mut impl FnMut(u32)) {
        if let Self::Reference(number, _) = self {
            see(*number);
        }
        // Boxed iterators recurse at most as deep as the reader lets objects nest.
        for child in self.children() {
            child.references(see);
        }
    }
}

impl Dict {
    /// The entries as a dictionary; `None` when a key stands twice.
    pub(super) fn new(mut entries: Vec<(Vec<u8>, Object)>) -> Option<Self> {
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        let twice = entries.windows(2).any(|pair| pair[0].0 == pair[1].0);
        entries.shrink_to_fit();
        (!twice).then_some(Self(entries))
    }

    /// The value of a key; a `null` is as good as none.
    pub(super) fn get(&self, key: &str) -> Option<&Object> {
        let at = self.0.binary_search_by(|(it, _)| it.as_slice().cmp(key.as_bytes())).ok()?;
        Some(&self.0[at].1).filter(|it| **it != Object::Null)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|(key, _)| key.as_slice())
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&[u8], &Object)> {
        self.0.iter().map(|(key, value)| (key.as_slice(), value))
    }

    /// The keys whose values are not the same in both, in order.
    pub(super) fn differing(&self, other: &Self) -> Vec<String> {
        let mut keys: Vec<&[u8]> = self.keys().chain(other.keys()).collect();
        keys.sort_unstable();
        keys.dedup();
        let find = |dict: &'_ Self, key: &[u8]| {
            dict.0.iter().find(|(it, _)| it == key).map(|(_, value)| value.clone())
        };
        keys.retain(|key| find(self, key) != find(other, key));
        keys.iter().map(|key| String::from_utf8_lossy(key).into_owned()).collect()
    }

    /// Whether it has no key but these.
    pub(super) fn only(&self, keys: &[&str]) -> bool {
        self.keys().all(|key| keys.iter().any(|it| it.as_bytes() == key))
    }
}

/// What PDFDocEncoding has from 0x18 and from 0x80 in place of control characters (ISO 32000-1, D.2).
const ACCENTS: [char; 8] = ['˘', 'ˇ', 'ˆ', '˙', '˝', '˛', '˚', '˜'];
const MARKS: [char; 33] = [
    '•', '†', '‡', '…', '—', '–', 'ƒ', '⁄', '‹', '›', '−', '‰', '„', '“', '”', '‘', '’', '‚', '™',
    'ﬁ', 'ﬂ', 'Ł', 'Œ', 'Š', 'Ÿ', 'Ž', 'ı', 'ł', 'œ', 'š', 'ž', '\u{fffd}', '€',
];

/// A text string in words (ISO 32000-1, 7.9.2.2): UTF-16 with its mark, UTF-8 with its mark, else
/// PDFDocEncoding.
pub(super) fn words(bytes: &[u8]) -> String {
    if let Some(rest) = bytes.strip_prefix(&[0xfe, 0xff]) {
        let units = rest.chunks_exact(2).map(|it| u16::from_be_bytes([it[0], it[1]]));
        return char::decode_utf16(units).map(|it| it.unwrap_or('\u{fffd}')).collect();
    }
    if let Some(rest) = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]) {
        return String::from_utf8_lossy(rest).into_owned();
    }
    let letter = |byte: &u8| match byte {
        0x18..=0x1f => ACCENTS[usize::from(byte - 0x18)],
        0x80..=0xa0 => MARKS[usize::from(byte - 0x80)],
        _ => char::from(*byte),
    };
    bytes.iter().map(letter).collect()
}
