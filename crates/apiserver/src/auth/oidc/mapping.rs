//! From the claims of a token to a user.

use portolan_object::Interrupt;
use portolan_object::budget::Budget;
use portolan_object::expression::{Expression, Variables};
use portolan_object::schema::rules::OBJECT_COST_LIMIT;
use serde_json::{Map, Value};

use super::configuration::{ClaimOrExpression, Jwt, PrefixedClaimOrExpression};
use crate::auth::user::User;

/// Where a value comes from.
#[derive(Debug)]
enum Source {
    Claim { name: String, prefix: String },
    Expression(Expression),
}

/// A condition, and what is told if it does not hold.
#[derive(Debug)]
struct Rule {
    expression: Expression,
    message: String,
}

/// The mapping of one provider.
#[derive(Debug)]
pub(super) struct Mapping {
    username: Source,
    groups: Option<Source>,
    uid: Option<Source>,
    extra: Vec<(String, Expression)>,
    required: Vec<(String, String)>,
    claim_rules: Vec<Rule>,
    user_rules: Vec<Rule>,
}

impl Mapping {
    /// Compiles the mappings and rules; the configuration was checked before.
    pub(super) fn new(jwt: &Jwt) -> Result<Self, String> {
        let mappings = &jwt.claim_mappings;
        let of_claims = |source: &str| Expression::compile(source, &["claims"]);
        let extra = mappings.extra.iter().enumerate().map(|(index, entry)| {
            let compiled = of_claims(&entry.value_expression);
            let compiled =
                compiled.map_err(|error| format!("claimMappings.extra[{index}].valueExpression: {error}"))?;
            Ok((entry.key.clone(), compiled))
        });
        let extra = extra.collect::<Result<_, String>>()?;
        let (mut required, mut claim_rules) = (Vec::new(), Vec::new());
        for (index, rule) in jwt.claim_validation_rules.iter().enumerate() {
            if rule.expression.is_empty() {
                required.push((rule.claim.clone(), rule.required_value.clone()));
                continue;
            }
            let expression = of_claims(&rule.expression)
                .map_err(|error| format!("claimValidationRules[{index}].expression: {error}"))?;
            claim_rules.push(Rule { expression, message: rule.message.clone() });
        }
        let user_rules = jwt.user_validation_rules.iter().enumerate().map(|(index, rule)| {
            let expression = Expression::compile(&rule.expression, &["user"])
                .map_err(|error| format!("userValidationRules[{index}].expression: {error}"))?;
            Ok(Rule { expression, message: rule.message.clone() })
        });
        let user_rules = user_rules.collect::<Result<_, String>>()?;
        let username = prefixed("username", &mappings.username)?
            .ok_or("claimMappings.username: claim or expression is required")?;
        let groups = prefixed("groups", &mappings.groups)?;
        let uid = plain("uid", &mappings.uid)?;
        Ok(Self { username, groups, uid, extra, required, claim_rules, user_rules })
    }

    /// The user of verified claims.
    pub(super) fn user(&self, claims: &Map<String, Value>) -> Result<User, String> {
        let budget = Budget::new(OBJECT_COST_LIMIT, &Interrupt::never());
        let mut variables = Variables::default();
        variables.bind("claims", &Value::Object(claims.clone()));
        let evaluation = Evaluation { claims, variables, budget };
        let name = evaluation.username(&self.username)?;
        let groups = match &self.groups {
            Some(source) => evaluation.texts("groups", source)?,
            None => Vec::new(),
        };
        let mut user = User::new(name, groups.iter().cloned());
        if let Some(source) = &self.uid {
            user.uid = evaluation.text("uid", source)?;
        }
        for (key, expression) in &self.extra {
            let values =
                evaluation.list(expression).map_err(|problem| format!("extra {key:?}: {problem}"))?;
            let values: Vec<String> = values.into_iter().filter(|value| !value.is_empty()).collect();
            if !values.is_empty() {
                user.extra.insert(key.clone(), values);
            }
        }
        // Rules see the groups of the provider only, without `system:authenticated`.
        let mut shown = user.to_value();
        shown["groups"] = Value::from(groups);
        self.check(&evaluation, &shown)?;
        Ok(user)
    }

    fn check(&self, evaluation: &Evaluation<'_>, user: &Value) -> Result<(), String> {
        for (name, want) in &self.required {
            let found = evaluation.claims.get(name);
            let found = found.ok_or_else(|| format!("required claim {name} not present in ID token"))?;
            if found.as_str() != Some(want) {
                return Err(format!(
                    "required claim {name} value does not match. Got = {found}, want = {want}"
                ));
            }
        }
        hold(&self.claim_rules, &evaluation.variables, &evaluation.budget)?;
        let mut variables = Variables::default();
        variables.bind("user", user);
        hold(&self.user_rules, &variables, &evaluation.budget)
    }
}

fn prefixed(field: &str, mapping: &PrefixedClaimOrExpression) -> Result<Option<Source>, String> {
    let prefix = mapping.prefix.clone().unwrap_or_default();
    source(field, &mapping.claim, prefix, &mapping.expression)
}

fn plain(field: &str, mapping: &ClaimOrExpression) -> Result<Option<Source>, String> {
    source(field, &mapping.claim, String::new(), &mapping.expression)
}

fn source(field: &str, claim: &str, prefix: String, expression: &str) -> Result<Option<Source>, String> {
    if !claim.is_empty() {
        return Ok(Some(Source::Claim { name: claim.to_owned(), prefix }));
    }
    if expression.is_empty() {
        return Ok(None);
    }
    let compiled = Expression::compile(expression, &["claims"]);
    compiled
        .map(|compiled| Some(Source::Expression(compiled)))
        .map_err(|error| format!("claimMappings.{field}.expression: {error}"))
}

fn hold(rules: &[Rule], variables: &Variables, budget: &Budget) -> Result<(), String> {
    for rule in rules {
        let source = rule.expression.source();
        let value = rule.expression.evaluate(variables, budget);
        match value.map(|value| value.as_bool()) {
            Ok(Some(true)) => {}
            Ok(Some(false)) if !rule.message.is_empty() => {
                return Err(format!("validation expression '{source}' failed: {}", rule.message));
            }
            Ok(Some(false)) => return Err(format!("validation expression '{source}' failed")),
            Ok(None) => return Err(format!("validation expression '{source}' is not a truth value")),
            Err(error) => return Err(format!("validation expression '{source}' resulted in error: {error}")),
        }
    }
    Ok(())
}

struct Evaluation<'a> {
    claims: &'a Map<String, Value>,
    variables: Variables,
    budget: Budget,
}

impl Evaluation<'_> {
    fn username(&self, source: &Source) -> Result<String, String> {
        let name = self.text("username", source)?;
        // A provider may hand out tokens before it has checked that the address is the user's.
        let is_email = matches!(source, Source::Claim { name, .. } if name == "email");
        let is_verified =
            self.claims.get("email_verified").is_none_or(|verified| *verified == Value::Bool(true));
        if is_email && !is_verified {
            return Err("email not verified".to_owned());
        }
        if name.is_empty() { Err("the name of the user is empty".to_owned()) } else { Ok(name) }
    }

    fn text(&self, field: &str, source: &Source) -> Result<String, String> {
        match source {
            Source::Claim { name, prefix } => {
                let found = self.claims.get(name);
                let text = found.and_then(Value::as_str);
                let text = text.ok_or_else(|| format!("parse {field} claims {name:?}: it is not a text"))?;
                Ok(format!("{prefix}{text}"))
            }
            Source::Expression(expression) => {
                let value = expression.evaluate(&self.variables, &self.budget);
                let value =
                    value.map_err(|error| format!("error evaluating {field} claim expression: {error}"))?;
                let text = value.as_text().map(str::to_owned);
                text.ok_or_else(|| format!("{field} claim expression must return a string"))
            }
        }
    }

    fn texts(&self, field: &str, source: &Source) -> Result<Vec<String>, String> {
        match source {
            Source::Claim { name, prefix } => {
                let Some(found) = self.claims.get(name) else { return Ok(Vec::new()) };
                let texts =
                    as_texts(found).map_err(|problem| format!("parse {field} claim {name:?}: {problem}"))?;
                Ok(texts.into_iter().map(|text| format!("{prefix}{text}")).collect())
            }
            Source::Expression(expression) => {
                let list = self.list(expression);
                list.map_err(|error| format!("error evaluating {field} claim expression: {error}"))
            }
        }
    }

    /// The texts that an expression makes.
    fn list(&self, expression: &Expression) -> Result<Vec<String>, String> {
        let value = expression.evaluate(&self.variables, &self.budget).map_err(|error| error.to_string())?;
        as_texts(&value.to_json()?)
    }
}

/// A text alone, or a list of texts; null stands for an empty list.
fn as_texts(value: &Value) -> Result<Vec<String>, String> {
    let not_texts = || "it must be a string or a list of strings".to_owned();
    match value {
        Value::Null => Ok(Vec::new()),
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Array(list) => {
            list.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(not_texts)).collect()
        }
        _ => Err(not_texts()),
    }
}
