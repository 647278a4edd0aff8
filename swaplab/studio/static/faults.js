/**
 * What can be broken, as edits of the script: each is switched on and off by changing calls, pages or the machine, and
 * what follows is what the server says of the changed script. Nothing here is changed in place.
 *
 * @typedef {{ is: (script: any, which?: any) => boolean, set: (script: any, which: any, on: boolean) => any }} Fault
 */

const ENTRIES = new Set([
  "crypto_acomp_compress", "crypto_acomp_decompress", "crypto_acomp_batch_compress", "crypto_acomp_batch_decompress",
]);
const FEW = 2;
/** What one request may be cut up into, here. */
const UNITS = 8;

/** Where the first work is handed in; the end, if none is. */
function entryOf(script) {
  const index = script.calls.findIndex(({ call }) => ENTRIES.has(call));
  return index < 0 ? script.calls.length : index;
}

/** Calls that a fault puts before the work. */
function before(made) {
  const same = (call, which) => {
    const wanted = made(which);
    return call.call === wanted.call && JSON.stringify(call.args) === JSON.stringify(wanted.args);
  };
  return {
    is: (script, which) => script.calls.some((call) => same(call, which)),
    set: (script, which, on) => {
      const calls = script.calls.filter((call) => !same(call, which));
      if (on) calls.splice(entryOf({ calls }), 0, made(which));
      return { ...script, calls };
    },
  };
}

/** The n-th request (from 0) at a point of the driver. */
function arrival(point) {
  return before((number) => ({ call: "fault.at", args: [point, number + 1] }));
}

/** The page that a request reads; null if that is no page of its own. @returns {string|null} */
export function pageOf(script, request) {
  for (const { call, args = [] } of script.calls) {
    if (call === "acomp_request_set_params" && args[0]?.ref === request) return args[1]?.page ?? null;
    if (call === "crypto_acomp_batch_compress" && Array.isArray(args[0]) && Array.isArray(args[1])) {
      return args[1][args[0].findIndex((req) => req?.ref === request)]?.page ?? null;
    }
  }
  return null;
}

/** @type {Record<string, Fault>} */
export const FAULTS = {
  /** The device does not take the submission of request number `which`. */
  submit: arrival("iaa.submit"),
  /** The job of request number `which` never lands. */
  lost: arrival("iaa.lost_completion"),
  /** The device named `which` has no bound queue. */
  device: before((name) => ({ call: "machine.unbind", args: [name] })),

  /** The page named `which` does not compress. */
  page: {
    is: (script, name) => script.pages?.[name]?.random !== undefined && script.pages[name].random !== null,
    set: (script, name, on) => ({
      ...script, pages: { ...script.pages, [name]: on ? { random: 7 } : { text: `This is page ${name} of the story. ` } },
    }),
  },

  /** Queues have fewer descriptors than there are requests. */
  queue: {
    is: (script) => (script.machine?.wq_size ?? 16) <= FEW,
    set: (script, _, on) => ({ ...script, machine: { ...script.machine, wq_size: on ? FEW : 16 } }),
  },

  /** Whoever waits is cancelled when `which` jobs have landed; then everything lands, and the requests become idle. */
  cancel: {
    is: (script) => script.calls.some(({ call }) => call === "task.cancel"),
    set: (script, landed, on) => (on ? cancelled(FAULTS.cancel.set(script, 0, false), landed) : uncancelled(script)),
  },
};

function cancelled(script, landed) {
  const index = script.calls.findIndex(({ call }, at) => at > entryOf(script) && call === "crypto_wait_req");
  if (index < 0) return script;
  const wait = { ...script.calls[index], task: "waiting" };
  delete wait.as;
  const requests = script.calls.filter(({ call }) => call === "acomp_request_alloc").map(({ as }) => ({ ref: as }));
  const engines = script.machine?.engines_per_device ?? 2;
  const rounds = Math.ceil(Math.max(requests.length, UNITS) / engines);
  const calls = [
    wait,
    ...(landed ? [{ call: "machine.step", args: [landed] }] : []),
    { call: "task.cancel", args: [{ ref: "waiting" }] },
    { call: "task.join", args: [{ ref: "waiting" }] },
    ...Array.from({ length: rounds }, () => ({ call: "machine.step", args: [engines] })),
    { call: "requests_idle", args: [requests] },
  ];
  return {
    ...script, machine: { ...script.machine, landing: "stepped" },
    calls: [...script.calls.slice(0, index), ...calls, ...script.calls.slice(index + 1)],
  };
}

function uncancelled(script) {
  if (!FAULTS.cancel.is(script)) return script;
  const added = new Set(["task.cancel", "task.join", "machine.step", "requests_idle"]);
  const calls = script.calls.filter(({ call }) => !added.has(call)).map((call) => {
    if (call.task !== "waiting") return call;
    const { task: _, ...rest } = call;
    return rest;
  });
  return { ...script, machine: { ...script.machine, landing: "auto" }, calls };
}

/** A script, and what has been broken in it since: mended again, it is what it was. */
export class Broken {
  /** @param {any} whole @param {{ fault: string, which: any }[]} [faults] */
  constructor(whole, faults = []) {
    this.whole = whole;
    this.faults = faults;
  }

  get script() {
    return this.faults.reduce((script, { fault, which }) => FAULTS[fault].set(script, which, true), this.whole);
  }

  /** Another script, as broken as this one. @param {(script: any) => any} edit */
  edited(edit) {
    return new Broken(edit(this.whole), this.faults);
  }

  /** With one fault more. */
  broken(fault, which) {
    return new Broken(this.whole, [...this.faults, { fault, which }]);
  }

  /** With one fault less; of what a script came with it is undone as well as that can be. There is one cancel. */
  mended(fault, which) {
    const kept = this.faults.filter((one) => one.fault !== fault || (one.which !== which && fault !== "cancel"));
    if (kept.length < this.faults.length) return new Broken(this.whole, kept);
    return this.edited((script) => FAULTS[fault].set(script, which, false));
  }
}
