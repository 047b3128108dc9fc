// SPDX-License-Identifier: AGPL-3.0-only
//! The messages that are sent without the scenario saying so.
//!
//! The texts are ours; their headers and the order of these are SIPp's, so that a peer cannot tell the tools apart.

use super::Lowerer;
use crate::ast::{DefaultMessageId, Item};
use crate::template::{self, Parsed};
use gossipper_bytecode::{AutoMessage, CaptureId, Mode};

/// ACK of an aborted call.
const ACK: &str = "\
ACK [last_Request_URI] SIP/2.0
[last_Via]
[last_From]
[last_To]
Call-ID: [call_id]
CSeq: [last_cseq_number] ACK
Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70
Subject: Performance Test
Content-Length: 0

";

/// BYE of an aborted call.
const BYE: &str = "\
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
[last_From]
[last_To]
Call-ID: [call_id]
CSeq: [last_cseq_number+1] BYE
Max-Forwards: 70
Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
Content-Length: 0

";

/// CANCEL of an aborted call.
const CANCEL: &str = "\
CANCEL [last_Request_URI] SIP/2.0
[last_Via]
[last_From]
[last_To]
Call-ID: [call_id]
CSeq: [last_cseq_number] CANCEL
Max-Forwards: 70
Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
Content-Length: 0

";

/// 200 to an unexpected BYE or CANCEL.
const OK: &str = "\
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:[local_ip]:[local_port];transport=[transport]>
Content-Length: 0

";

/// What ends a call on the twin's side.
const TWIN_ABORT: &str = "\
call-id: [call_id]
internal-cmd: abort_call

";

impl<'a> Lowerer<'a> {
    /// Writes the automatic messages; gives what those read that an abort may send.
    pub(super) fn automatic(&mut self) -> Vec<CaptureId> {
        let mut aborts = Vec::new();
        for message in AutoMessage::ALL {
            let (id, own) = match message {
                AutoMessage::Ack => (DefaultMessageId::Ack, ACK),
                AutoMessage::Bye => (DefaultMessageId::Bye, BYE),
                AutoMessage::Cancel => (DefaultMessageId::Cancel, CANCEL),
                AutoMessage::Ok => (DefaultMessageId::Ok200, OK),
            };
            let template = match self.replacement(id) {
                Some(parsed) => self.template(parsed),
                None => {
                    let parsed = template::read_own(own);
                    self.template(&parsed)
                }
            };
            if message == AutoMessage::Bye && self.is_called() {
                let own = template::read_own(own);
                let parsed = self.replacement(id).unwrap_or(&own);
                let mirrored = self.mirrored(parsed);
                self.draft.bye_from_called = Some(mirrored);
            }
            self.draft.auto.push(template);
            let reads = core::mem::take(&mut self.reading);
            match message {
                // Nothing is sent when a call of a server is aborted.
                AutoMessage::Ack | AutoMessage::Bye | AutoMessage::Cancel
                    if self.mode == Some(Mode::Server) => {}
                AutoMessage::Ack | AutoMessage::Bye | AutoMessage::Cancel => aborts.extend(reads),
                // It answers the message in hand.
                AutoMessage::Ok => {}
            }
        }
        if self.has_commands() {
            let template = match self.replacement(DefaultMessageId::TwinAbort) {
                Some(parsed) => self.template(parsed),
                None => {
                    let parsed = template::read_own_command(TWIN_ABORT);
                    self.template(&parsed)
                }
            };
            self.draft.twin_abort = Some(template);
            aborts.append(&mut self.reading);
        }
        aborts
    }

    /// The author's text for an automatic message: the last of several, as in SIPp.
    fn replacement(&self, id: DefaultMessageId) -> Option<&'a Parsed> {
        let input = self.input;
        input
            .scenario
            .items
            .iter()
            .filter_map(|item| match item {
                Item::DefaultMessage(message) if message.id.is_some_and(|i| i.value == id) => {
                    input.texts.get(message.text.as_ref()?)
                }
                _ => None,
            })
            .next_back()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Head;

    #[test]
    fn our_own_texts_are_what_they_should_be() {
        for (text, method) in [(ACK, "ACK"), (BYE, "BYE"), (CANCEL, "CANCEL")] {
            assert_eq!(
                template::read_own(text).head,
                Head::Request(method.as_bytes().to_vec())
            );
        }
        assert_eq!(template::read_own(OK).head, Head::Response(200));
    }
}
