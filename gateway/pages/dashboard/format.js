// How values are written: words of enums, numbers, and times in a persona's time zone.

const LANGUAGE = "en-GB";
const KINDS = /^(JOB_STATE|STATE|STATUS|PRIORITY|USAGE|REASON|ORIGIN|PROVIDER|KIND|QUALITY|TRIGGER|METRIC|FINDING)_/;

// STATE_NEEDS_REVIEW as "needs review".
export function word(value) {
  return (value ?? "").replace(KINDS, "").replaceAll("_", " ").toLowerCase();
}

export function lastPart(name) {
  return name.split("/").pop();
}

export function number(value, digits = 0) {
  return new Intl.NumberFormat(LANGUAGE, { maximumFractionDigits: digits }).format(value);
}

export function percent(share) {
  return `${number(share * 100)} %`;
}

// How alike things are, with two digits: 0.90, and never -0.00.
export function likeness(value) {
  return (Math.round(100 * value) / 100 || 0).toFixed(2);
}

export function count(amount, one, many = `${one}s`) {
  return `${number(amount)} ${amount === 1 ? one : many}`;
}

export function bytes(size) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let value = Number(size);
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${number(value, value < 10 && unit ? 1 : 0)} ${units[unit]}`;
}

export class Zone {
  constructor(name) {
    this.name = known(name) ? name : "UTC";
  }

  // Sat 21 Nov 2026, 09:30
  moment(time) {
    return time ? this.#write(time, { ...DAY, ...CLOCK }) : "";
  }

  // Saturday 21 November 2026
  day(time) {
    return this.#write(time, { ...DAY, weekday: "long", month: "long" });
  }

  // 21 Nov 2026
  date(time) {
    return time ? this.#write(time, { ...DAY, weekday: undefined }) : "";
  }

  clock(time) {
    return this.#write(time, CLOCK);
  }

  // 2026-11-21, for sorting and comparing days.
  key(time) {
    return this.#local(new Date(time)).slice(0, 10);
  }

  // The value of an input of type datetime-local.
  toInput(time) {
    return time ? this.#local(new Date(time)) : "";
  }

  // The moment, as the API writes it, at which clocks of this zone show the value of the input of a
  // field; what the input showed before stays that moment. On days on which the clocks change, a time
  // that never comes, or comes twice, is refused: only whoever typed it knows what was meant.
  fromInput(value, field, was) {
    if (!value) return undefined;
    if (was && this.toInput(was) === value) return was;
    const wanted = Date.parse(`${value}Z`);
    const offsets = new Set([wanted - A_DAY, wanted + A_DAY].map((time) => this.#offset(time)));
    const found = [...offsets].map((offset) => wanted - offset).filter((time) => this.toInput(time) === value);
    if (found.length === 1) return new Date(found[0]).toISOString();
    const why = found.length
      ? "comes twice, as the clocks are put back; choose a minute before or after that hour"
      : "never comes, as the clocks are put forward over it";
    throw wrong(field, `${value.slice(11)} ${why} on that day in ${this.name}.`);
  }

  // How far clocks of this zone are ahead of UTC at a moment, in milliseconds.
  #offset(time) {
    return Date.parse(`${this.#local(new Date(time))}Z`) - time;
  }

  #write(time, options) {
    return new Intl.DateTimeFormat(LANGUAGE, { ...options, timeZone: this.name }).format(new Date(time));
  }

  #local(date) {
    const options = { ...DAY, weekday: undefined, month: "2-digit", day: "2-digit", ...CLOCK, timeZone: this.name };
    const parts = new Intl.DateTimeFormat(LANGUAGE, options).formatToParts(date);
    const of = Object.fromEntries(parts.map((part) => [part.type, part.value]));
    return `${of.year}-${of.month}-${of.day}T${of.hour}:${of.minute}`;
  }
}

const DAY = { weekday: "short", day: "numeric", month: "short", year: "numeric" };
const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };

const A_DAY = 24 * 3600 * 1000;

// An error that forms show with the field.
function wrong(field, description) {
  return Object.assign(new Error(description), { violations: [{ field, description }] });
}

function known(name) {
  try {
    return Boolean(name && new Intl.DateTimeFormat(LANGUAGE, { timeZone: name }));
  } catch {
    return false;
  }
}
