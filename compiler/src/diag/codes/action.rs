// SPDX-License-Identifier: AGPL-3.0-only
//! Codes of actions (G04xx): 401 to 419 are what the parser finds, later numbers what later phases find.

use super::codes;

codes! {
    UNKNOWN_ACTION = 401 {
        title: "the action is unknown",
        explanation: "Names of actions are case-sensitive.",
        remedy: "Correct the name; `docs/scenario-reference.md` lists the actions.",
        sipp: "stops with `Unknown action` and the name",
        bad: r#"<scenario><recv request="OPTIONS"><action><«print» message="x"/></action></recv></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"><action><log message="x"/></action></recv></scenario>"#,
    }
    VALUE_OR_VARIABLE = 402 {
        title: "exactly one of two attributes is needed",
        explanation: "The operand is either written down (`value`) or taken from a variable (`variable`, `variable2`); \
            with both or neither it is not known which.",
        remedy: "Write one of the two.",
        sipp: "stops with `No value or variable defined for jump action!`",
        bad: r#"<scenario><recv request="OPTIONS"><action><«jump»/></action></recv></scenario>"#,
        good: r#"<scenario><nop><action><jump value="1"/></action></nop><recv request="OPTIONS"/></scenario>"#,
    }
    CHECKED_TWICE = 403 {
        title: "both `check_it` and `check_it_inverse` are given",
        explanation: "One demands that it holds, the other that it does not.",
        remedy: "Remove one of the two.",
        sipp: "stops with `Can not have both check_it and check_it_inverse for ereg!`",
        bad: r#"<scenario><recv request="OPTIONS"><action>
            <ereg regexp="x" assign_to="_" check_it="true" «check_it_inverse»="true"/>
            </action></recv></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"><action>
            <ereg regexp="x" assign_to="_" check_it="true"/>
            </action></recv></scenario>"#,
    }
    DIVIDE_BY_ZERO = 404 {
        title: "division by zero",
        explanation: "The divisor is written down as 0. A variable that happens to be 0 gives a warning while running \
            and leaves the target as it was.",
        remedy: "Write another divisor.",
        sipp: "stops with `divide actions can not have a value of zero!`",
        bad: r#"<scenario><recv request="OPTIONS"><action><divide assign_to="_" value="«0»"/></action></recv></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"><action><divide assign_to="_" value="2"/></action></recv></scenario>"#,
    }
    TWO_TARGETS_NEEDED = 405 {
        title: "`gettimeofday` needs two targets",
        explanation: "The first gets the seconds of the epoch, the second the microseconds.",
        remedy: "Name two variables; `_` for the one that nobody needs.",
        sipp: "stops with `The gettimeofday action requires two output variables!`",
        bad: r#"<scenario><recv request="OPTIONS"><action><gettimeofday assign_to="«_»"/></action></recv></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"><action><gettimeofday assign_to="_,_"/></action></recv></scenario>"#,
    }
    NOTHING_TO_EXECUTE = 406 {
        title: "`exec` has nothing to execute",
        explanation: "It takes one of `command`, `int_cmd`, `play_pcap_audio`, `play_pcap_image`, `play_pcap_video`, \
            `play_dtmf`, `rtp_stream` and `rtp_echo`.",
        remedy: "Add what is to be executed, or remove the action.",
        sipp: "stops with `illegal <exec> in the scenario`",
        bad: r#"<scenario><recv request="OPTIONS"><action><«exec»/></action></recv></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"><action><exec int_cmd="stop_gracefully"/></action></recv></scenario>"#,
    }
    UNKNOWN_INT_CMD = 407 {
        title: "the internal command is unknown and acts as `stop_call`",
        explanation: "SIPp knows `stop_now`, `stop_gracefully` and `stop_call`, and takes anything else for the last.",
        remedy: "Write `stop_now`, `stop_gracefully` or `stop_call`.",
        sipp: "takes it for `stop_call` without a word",
        bad: r#"<scenario><recv request="OPTIONS"><action><exec int_cmd="«stop»"/></action></recv></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"><action><exec int_cmd="stop_call"/></action></recv></scenario>"#,
    }
    TOO_MANY_TARGETS = 408 {
        title: "too many variables for one expression",
        explanation: "The first variable gets the whole match and at most nine more get groups. SIPp finds this only \
            when the action runs, and then ends the run.",
        remedy: "Name at most ten variables, and catch the rest with another expression.",
        sipp: "loads the scenario and ends the run when the action is due",
        bad: r#"<scenario><recv request="OPTIONS"><action>
            <ereg regexp="x" assign_to="_,_,_,_,_,_,_,_,_,_,«_»"/>
            </action></recv></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"><action><ereg regexp="x" assign_to="_,_"/></action></recv></scenario>"#,
    }
    BAD_PAIRS = 409 {
        title: "the text of an action is wrong",
        explanation: "Without the attribute `distribution` a `<sample>` may hold the text `min=1 max=10 step=2 seed=7`, \
            without `value` an `<insert>` or `<replace>` the text `line=0 field=1 text=new`: pairs of a key and a value \
            with blanks between them, each key once. `step`, `seed` and the `position` of `<insert>` (`prefix` or \
            `suffix`) may be left out. Values with blanks or an equals sign stand in quotes.",
        remedy: "Write the pair as the message says.",
        sipp: "has no such text, and stops because an attribute is missing",
        bad: r#"<scenario><recv request="OPTIONS"><action>
            <sample assign_to="_">min=1 «maxi»=10</sample>
            </action></recv></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"><action>
            <sample assign_to="_">min=1 max=10</sample>
            </action></recv></scenario>"#,
    }
    LINE_OF_PAIRS = 410 {
        title: "pairs are inserted as a line",
        explanation: "`value` of an `<insert>` is a line, whatever it looks like. Gossipper writes a change of one field \
            as such pairs; here they stand between the tags.",
        remedy: "Write the pairs as text of the element.",
        sipp: "inserts the line",
        bad: r#"<scenario><send><![CDATA[OPTIONS sip:a SIP/2.0
            ...

            ]]><action><insert file="[service].csv" value="«line=2 field=1 text=_x»"/></action></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[OPTIONS sip:a SIP/2.0
            ...

            ]]><action><insert file="[service].csv">line=2 field=1 text=_x</insert></action></send></scenario>"#,
    }
    BAD_REGEX = 420 {
        title: "the regular expression is malformed",
        explanation: "Expressions are POSIX extended ones as SIPp's C library reads them: no lazy quantifiers, no \
            look-around, no `\\d`.",
        remedy: "Mend the expression at the place that is marked.",
        sipp: "stops with the message of the C library, such as `Unmatched ( or \\(`",
        bad: r#"<scenario><recv request="OPTIONS"><action><ereg regexp="a«(»b" assign_to="_"/></action></recv></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"><action><ereg regexp="a(b)" assign_to="_"/></action></recv></scenario>"#,
    }
    MAY_BE_SHORTER = 421 {
        title: "the expression may match less than in SIPp",
        explanation: "POSIX takes the longest match. The engine that looks for it takes expressions up to some \
            size; the fast one takes larger ones, and the first alternative that leads to a match. This one is \
            too large, mostly for its counts: `{1,200}` is two hundred copies.",
        remedy: "Write longer alternatives first, or smaller counts.",
        sipp: "takes the longest match",
        bad: r#"<scenario><recv request="OPTIONS"><action><ereg regexp="«([0-9]{1,200}|x){1,200}»" assign_to="x"/><log message="[$x]"/></action></recv></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"><action><ereg regexp="([0-9]+|x){1,200}" assign_to="x"/><log message="[$x]"/></action></recv></scenario>"#,
    }
    ESCAPED_LETTER = 422 {
        title: "the backslash has no meaning before this letter",
        explanation: "In a POSIX expression `\\d` is the letter `d`, not a digit. Write `[0-9]` for a digit, and the \
            letter alone for itself.",
        remedy: "Write `[0-9]` for `\\d`, `[[:space:]]` for `\\s`, the letter alone for itself.",
        sipp: "takes the letter for itself without a word",
        bad: r#"<scenario><recv request="OPTIONS"><action><ereg regexp="«\d»+" assign_to="_"/></action></recv></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"><action><ereg regexp="[0-9]+" assign_to="_"/></action></recv></scenario>"#,
    }
    NO_SUCH_GROUP = 423 {
        title: "more variables than groups",
        explanation: "The first name of `assign_to` gets the whole match, each further one a group in parentheses. A \
            name without a group never gets a value.",
        remedy: "Add parentheses around what the variable is to get, or remove the name.",
        sipp: "leaves the variable empty without a word",
        bad: r#"<scenario><recv request="OPTIONS"><action><ereg regexp="ab" assign_to="_,«_»"/></action></recv></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"><action><ereg regexp="a(b)" assign_to="_,_"/></action></recv></scenario>"#,
    }
    JUMP_TARGET = 424 {
        title: "the jump leads nowhere",
        explanation: "`jump` goes to the step of that index, counted from 0 in document order. A step cannot jump to \
            itself.",
        remedy: "Write the index of a step, or use `next` and a label.",
        sipp: "loads the scenario and ends the run when the jump is due",
        bad: r#"<scenario><recv request="OPTIONS"/>
<nop><action><jump value="«7»"/></action></nop></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"/>
<nop><action><jump value="0"/></action></nop></scenario>"#,
    }
    JUMP_IN_RECV = 425 {
        title: "`jump` and `pauserestore` have no effect in a `<recv>`",
        explanation: "The call goes on behind the `<recv>` that matched, and any pause is over, whatever its actions \
            said. Put the action into a `<nop>` behind it.",
        remedy: "Move the action into a `<nop>` behind the step.",
        sipp: "goes on behind the `<recv>` as well",
        bad: r#"<scenario><recv request="OPTIONS"><action><«jump» value="1"/></action></recv>
<recv request="BYE"/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"/>
<nop><action><jump value="0"/></action></nop></scenario>"#,
    }
    NO_MESSAGE = 426 {
        title: "there is no message to search",
        explanation: "Actions of `<nop>`, `<pause>` and `<timewait>` run without a message. SIPp crashes here; this \
            version searches an empty text.",
        remedy: "Move the action into a `<recv>`, or search a variable.",
        sipp: "crashes when the action is due",
        bad: r#"<scenario><recv request="OPTIONS"/>
<nop><action><«ereg» regexp="a" assign_to="_"/></action></nop></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"><action><ereg regexp="a" assign_to="_"/></action></recv></scenario>"#,
    }
    MEDIA_ARGUMENT = 430 {
        title: "the argument of a media action is wrong",
        explanation: "Fields stand in order, with commas and no blanks between them: `FILE,LOOP,PT,NAME` for \
            `rtp_stream`. Payload types 0, 8, 9, 13 and 18 have a fixed codec; 96 to 127 take the name of one. SIPp \
            finds out when a call gets there, and ends.",
        remedy: "Write the field as the message says.",
        sipp: "ends when a call gets there",
        bad: r#"<scenario><recv request="INVITE"/>
<nop><action><exec rtp_stream="a.wav,1,8,«PCMU/8000»"/></action></nop></scenario>"#,
        good: r#"<scenario><recv request="INVITE"/>
<nop><action><exec rtp_stream="a.wav,1,8,PCMA/8000"/></action></nop></scenario>"#,
    }
    MEDIA_SURPRISE = 431 {
        title: "the argument of a media action means something else",
        explanation: "A character that is no digit is passed over, a length of digits that is out of range is 200 ms, \
            and a misspelt word of `rtp_stream` is the name of a file.",
        remedy: "Leave away what has no effect, or write what was meant.",
        sipp: "does the same and says nothing",
        bad: r#"<scenario><recv request="INVITE"/>
<nop><action><exec play_dtmf="12«E»,200"/></action></nop></scenario>"#,
        good: r#"<scenario><recv request="INVITE"/>
<nop><action><exec play_dtmf="12D,200"/></action></nop></scenario>"#,
    }
    RTP_CHECK_PLACE = 432 {
        title: "`rtpcheck` cannot wait here",
        explanation: "`rtpcheck` waits for packets. The actions of a `<recv>` are done at once, before the call goes \
            on, and `<init>` has no media.",
        remedy: "Put it into a `<nop>` behind the `<recv>`.",
        sipp: "has no `rtpcheck`",
        bad: r#"<scenario><recv request="INVITE"><action><«exec» rtpcheck="min_packets=1"/></action></recv></scenario>"#,
        good: r#"<scenario><recv request="INVITE"/>
<nop><action><exec rtpcheck="min_packets=1"/></action></nop></scenario>"#,
    }
    MEDIA_FILE = 433 {
        title: "a file of a media action is not there",
        explanation: "It was looked for in the folder of the scenario and in the current one. SIPp reads capture files \
            when it starts, and ends when one is missing. Only `gossipper compile` looks.",
        remedy: "Put the file beside the scenario, or correct its name.",
        sipp: "ends when a capture file is missing",
    }
}
