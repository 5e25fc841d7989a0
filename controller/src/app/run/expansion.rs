//! `$(NAME)` in commands, arguments and values, as core/v1 expands it
//! (<https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#entrypoint>).

/// The text with each `$(NAME)` replaced by the variable's value. `$$` is one `$`, so `$$(NAME)` stays `$(NAME)`; a name
/// that is not known, and a parenthesis that is not closed, are left as they are. What is put in is not expanded again.
pub(crate) fn expand<'a>(text: &str, value_of: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|opened| opened.split_once(')')) {
            match value_of(name) {
                Some(value) => expanded.push_str(value),
                None => expanded.extend(["$(", name, ")"]),
            }
            rest = after;
        } else {
            expanded.push('$');
        }
    }
    expanded + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> String {
        expand(text, |name| match name {
            "A" => Some("one"),
            "B" => Some("$(A)"),
            "EMPTY" => Some(""),
            _ => None,
        })
    }

    /// The rows of core/v1's own tests of it (`third_party/forked/golang/expansion` of Kubernetes), and what they imply.
    #[test]
    fn references_are_replaced_as_in_a_pod() {
        for (text, result) in [
            ("$(A)", "one"),
            ("---$(A)---$(A)", "---one---one"),
            ("$(B)", "$(A)"),
            ("[$(EMPTY)]", "[]"),
            ("$(MISSING)", "$(MISSING)"),
            ("$$(A)", "$(A)"),
            ("$$$(A)", "$one"),
            ("$$$$(A)", "$$(A)"),
            ("$(A", "$(A"),
            ("$A ${A} $", "$A ${A} $"),
            ("$)(A)", "$)(A)"),
            ("$()", "$()"),
            ("\u{e9}$(A)\u{e9}", "\u{e9}one\u{e9}"),
            ("", ""),
        ] {
            assert_eq!(expanded(text), result, "{text}");
        }
    }
}
