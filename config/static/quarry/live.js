// Keeps the part of the page called "live" up to date by asking for the page again. Without scripts the page
// is simply as old as its last load.
"use strict";
{
    const shown = () => document.getElementById("live");
    const isBusy = () => document.hidden || shown().contains(document.activeElement);

    async function refresh() {
        const answer = await fetch(location.href, {headers: {"Accept": "text/html"}, redirect: "error"});
        if (!answer.ok) {
            return;
        }
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.getElementById("live");
        if (!fresh || isBusy()) {
            return;
        }
        const open = [...shown().querySelectorAll("details")].map((part) => part.open);
        shown().replaceWith(document.importNode(fresh, true));
        shown().querySelectorAll("details").forEach((part, n) => { part.open = Boolean(open[n]); });
    }

    async function tick() {
        const seconds = Number(shown().dataset.liveSeconds);
        if (!seconds) {
            return; // what was watched has ended
        }
        if (!isBusy()) {
            try {
                await refresh();
            } catch (error) {
                console.info("Quarry does not answer; the page will try again.", error.message);
            }
        }
        setTimeout(tick, seconds * 1000);
    }
    setTimeout(tick, Number(shown()?.dataset.liveSeconds || 0) * 1000);
}
