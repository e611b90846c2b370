// JSON Schema (2020-12), as far as models are asked with it: types, enum, const, properties, items,
// bounds, pattern, $ref to "#/...", anyOf, oneOf, allOf, not. What is not known is not checked.

const PROBLEMS_MAX = 8;
const DEPTH_MAX = 64;

function typeOf(value) {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value;
}
function isOfType(value, type) {
  const is = typeOf(value);
  if (type === "integer") return is === "number" && Number.isInteger(value);
  return is === type;
}
function isSame(a, b) {
  if (a === b) return true;
  if (typeOf(a) !== typeOf(b) || typeof a !== "object" || a === null) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => isSame(a[key], b[key]));
}
function resolve(root, ref) {
  if (!ref.startsWith("#")) throw new TypeError(`$ref ${ref}: only "#/..." is known`);
  let at = root;
  for (const part of ref.slice(1).split("/").filter((text) => text !== ""))
    at = at?.[decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~")];
  if (at === undefined) throw new TypeError(`$ref ${ref}: there is no such place`);
  return at;
}

class Check {
  constructor(root) {
    this.root = root;
    this.problems = [];
  }
  say(path, words) {
    if (this.problems.length < PROBLEMS_MAX) this.problems.push(`${path || "the value"} ${words}`);
  }
  matches(schema, value, depth) {
    const inner = new Check(this.root);
    inner.check(schema, value, "", depth);
    return inner.problems.length === 0;
  }
  check(schema, value, path, depth = 0) {
    if (depth > DEPTH_MAX) return this.say(path, "is nested too deep");
    if (schema === true || schema === undefined) return undefined;
    if (schema === false) return this.say(path, "is not allowed");
    if (schema.$ref) this.check(resolve(this.root, schema.$ref), value, path, depth + 1);
    const types = schema.type === undefined ? [] : [schema.type].flat();
    if (types.length > 0 && !types.some((type) => isOfType(value, type)))
      return this.say(path, `is ${typeOf(value)}, not ${types.join(" or ")}`);
    if (schema.enum && !schema.enum.some((item) => isSame(item, value)))
      this.say(path, `is none of ${JSON.stringify(schema.enum)}`);
    if ("const" in schema && !isSame(schema.const, value))
      this.say(path, `is not ${JSON.stringify(schema.const)}`);
    this.combine(schema, value, path, depth + 1);
    if (typeof value === "number") this.number(schema, value, path);
    else if (typeof value === "string") this.string(schema, value, path);
    else if (Array.isArray(value)) this.array(schema, value, path, depth + 1);
    else if (typeof value === "object" && value !== null)
      this.object(schema, value, path, depth + 1);
    return undefined;
  }
  combine(schema, value, path, depth) {
    for (const each of schema.allOf ?? []) this.check(each, value, path, depth);
    if (schema.anyOf && !schema.anyOf.some((each) => this.matches(each, value, depth)))
      this.say(path, "fits none of anyOf");
    if (schema.oneOf) {
      const count = schema.oneOf.filter((each) => this.matches(each, value, depth)).length;
      if (count !== 1) this.say(path, `fits ${count} of oneOf`);
    }
    if (schema.not !== undefined && this.matches(schema.not, value, depth))
      this.say(path, "is what it must not be");
  }
  number(schema, value, path) {
    if (value < schema.minimum) this.say(path, `is less than ${schema.minimum}`);
    if (value > schema.maximum) this.say(path, `is more than ${schema.maximum}`);
    if (value <= schema.exclusiveMinimum)
      this.say(path, `is not more than ${schema.exclusiveMinimum}`);
    if (value >= schema.exclusiveMaximum)
      this.say(path, `is not less than ${schema.exclusiveMaximum}`);
    if (schema.multipleOf && value % schema.multipleOf !== 0)
      this.say(path, `is no multiple of ${schema.multipleOf}`);
  }
  string(schema, value, path) {
    if (value.length < schema.minLength) this.say(path, `is shorter than ${schema.minLength}`);
    if (value.length > schema.maxLength) this.say(path, `is longer than ${schema.maxLength}`);
    if (schema.pattern && !new RegExp(schema.pattern, "u").test(value))
      this.say(path, `does not match ${schema.pattern}`);
  }
  array(schema, value, path, depth) {
    if (value.length < schema.minItems) this.say(path, `has fewer than ${schema.minItems} items`);
    if (value.length > schema.maxItems) this.say(path, `has more than ${schema.maxItems} items`);
    if (schema.uniqueItems && value.some((a, i) => value.slice(0, i).some((b) => isSame(a, b))))
      this.say(path, "has an item twice");
    const first = schema.prefixItems ?? [];
    value.forEach((item, i) =>
      this.check(i < first.length ? first[i] : schema.items, item, `${path}[${i}]`, depth));
  }
  object(schema, value, path, depth) {
    const known = schema.properties ?? {};
    for (const name of schema.required ?? [])
      if (!Object.hasOwn(value, name)) this.say(path, `lacks "${name}"`);
    for (const [name, item] of Object.entries(value)) {
      const where = path ? `${path}.${name}` : name;
      if (Object.hasOwn(known, name)) this.check(known[name], item, where, depth);
      else if (schema.additionalProperties === false) this.say(where, "is not known");
      else this.check(schema.additionalProperties, item, where, depth);
    }
  }
}

/** What is wrong with a value, in words, at most eight; none: it fits the schema. */
export function validate(schema, value) {
  const check = new Check(schema);
  check.check(schema, value, "");
  return check.problems;
}
