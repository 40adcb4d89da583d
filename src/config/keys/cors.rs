//! `cors` and `security_headers` of a rule.

use http::{HeaderName, Method};

use crate::config::page::{list, string};
use crate::plan::{AllowedFields, Cors, FrameOptions, Origins, ReferrerPolicy, SecurityHeaders};

use super::kind::Shape;
use super::words::Words;
use super::{Keys, key};

pub(in crate::config) static CORS: Keys<Cors> = Keys {
    keys: &[
        key("origins")
            .means("Origins of pages that may read answers: \"https://a.example\", \"https://*.a.example\", or \"*\".")
            .also("origin allow_origin allow_origins allowed_origins access_control_allow_origin")
            .compiled(Shape::List(&Shape::Text), |cors| {
                Some(match &cors.origins {
                    Origins::Any => string("*"),
                    Origins::Listed(listed) => {
                        list(listed.iter().map(|origin| string(&origin.to_string())))
                    }
                })
            }),
        key("methods")
            .means("Methods that pages may use besides GET, HEAD and POST.")
            .also("method allow_methods allowed_methods")
            .compiled(Shape::List(&Shape::Text), |cors| {
                let methods = cors.methods.iter().map(Method::as_str);
                Some(list(methods.map(string)))
            }),
        key("headers")
            .means("Request fields that pages may write, or \"*\": each one.")
            .also("allow_headers allowed_headers")
            .compiled(Shape::List(&Shape::Text), |cors| {
                match &cors.headers {
                    AllowedFields::Any => Some(string("*")),
                    AllowedFields::Listed(names) => names_of(names),
                }
            }),
        key("expose")
            .means("Response fields that pages may read besides the usual ones.")
            .also("expose_headers exposed_headers")
            .compiled(Shape::List(&Shape::Text), |cors| {
                names_of(&cors.expose)
            }),
        key("credentials")
            .means("Whether requests of pages may carry cookies.")
            .also("allow_credentials")
            .switch(|cors| &mut cors.credentials),
        key("max_age")
            .means("How long a browser may keep the answer to a preflight.")
            .duration_from_0(|cors| &mut cors.max_age),
    ],
    ..Keys::EMPTY
};

pub(in crate::config) static SECURITY_HEADERS: Keys<SecurityHeaders> = Keys {
    keys: &[
        key("hsts")
            .means("`max-age` of `strict-transport-security`, on TLS connections alone.")
            .also("strict_transport_security")
            .duration_or_off(|fields| &mut fields.hsts),
        key("hsts_subdomains")
            .means("Whether that holds for all names below the host, too.")
            .also("include_subdomains")
            .switch(|fields| &mut fields.hsts_subdomains),
        key("nosniff")
            .means("Whether to write `x-content-type-options: nosniff`.")
            .also("content_type_options x_content_type_options")
            .switch(|fields| &mut fields.nosniff),
        key("frame_options")
            .means("`x-frame-options`: which pages may show an answer in a frame.")
            .also("x_frame_options frame")
            .word(FrameOptions::words, |fields| &mut fields.frame_options),
        key("referrer_policy")
            .means("`referrer-policy`: what other sites learn of the page.")
            .also("referrer")
            .word(ReferrerPolicy::words, |fields| &mut fields.referrer_policy),
    ],
    default: Some(SecurityHeaders::default),
    ..Keys::EMPTY
};

/// The list `names`; `None`: it is empty.
fn names_of(names: &[HeaderName]) -> Option<String> {
    (!names.is_empty()).then(|| list(names.iter().map(|name| string(name.as_str()))))
}
