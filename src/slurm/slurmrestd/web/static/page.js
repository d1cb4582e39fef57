// What pages need beside htmx: no refresh while somebody chooses, one box that ticks all, keys, confirmation, and news from the cluster.
"use strict";
(function () {
  const busy = (part) => part.querySelector("input[name=job]:checked, input[name=node]:checked")
    || (document.activeElement && part.contains(document.activeElement) && /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)
      && document.activeElement.type !== "checkbox");

  document.addEventListener("htmx:beforeRequest", (event) => {
    const part = event.detail.elt;
    if (!part.hasAttribute("data-live")) return;
    if (document.hidden || busy(part) || part.querySelector("details[open]")) event.preventDefault();
  });

  // One stream a window that is looked at: browsers keep few connections to a host. What it says is told once a second at most, and
  // where an answer takes long so seldom that a tenth of the time is spent on it.
  let stream = null, told = 0, waiting = 0, pause = 1000;
  document.addEventListener("htmx:beforeSend", (event) => { event.detail.elt.askedAt = Date.now(); });
  document.addEventListener("htmx:afterRequest", (event) => {
    const part = event.detail.elt;
    if (part.hasAttribute("data-live") && part.askedAt) pause = Math.max(1000, 10 * (Date.now() - part.askedAt));
  });
  const tell = () => {
    if (waiting) return;
    waiting = window.setTimeout(() => {
      waiting = 0;
      told = Date.now();
      document.body.dispatchEvent(new CustomEvent("cluster-changed"));
    }, Math.max(100, told + pause - Date.now()));
  };
  const listen = () => {
    if (document.hidden || !document.querySelector("[data-live]")) {
      if (stream) stream.close();
      stream = null;
    } else if (!stream) {
      stream = new EventSource("/live");
      for (const name of ["job", "job_gone", "node", "node_gone", "controller"]) stream.addEventListener(name, tell);
      stream.addEventListener("end", () => { stream.close(); });
    }
  };
  document.addEventListener("visibilitychange", listen);
  document.addEventListener("DOMContentLoaded", listen);
  window.addEventListener("pagehide", () => { if (stream) stream.close(); stream = null; });
  window.addEventListener("pageshow", (event) => { if (event.persisted) listen(); });

  const last = new WeakMap();
  document.addEventListener("htmx:beforeSwap", (event) => {
    const part = event.detail.target;
    if (!part.hasAttribute("data-live")) return;
    const text = event.detail.xhr.responseText;
    if (last.get(part) === text || busy(part)) event.detail.shouldSwap = false;
    last.set(part, text);
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    document.querySelectorAll("pre[data-follow]").forEach((one) => { one.scrollTop = one.scrollHeight; });
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("input[data-all]")) {
      event.target.closest("form").querySelectorAll(`input[name=${event.target.dataset.all}]`)
        .forEach((one) => { one.checked = event.target.checked; });
    }
    if (event.target.matches("select[data-send]")) event.target.form.requestSubmit();
  });

  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (button && button.dataset.confirm && !window.confirm(button.dataset.confirm)) event.preventDefault();
  });

  document.addEventListener("keydown", (event) => {
    const inField = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "/" && !inField && !event.ctrlKey && !event.metaKey) {
      const field = document.querySelector("input[type=search]");
      if (field) { field.focus(); event.preventDefault(); }
    }
  });
})();
