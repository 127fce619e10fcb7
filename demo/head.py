"""What the page's head adds to Gradio: scripts for what its components do not do by themselves."""

from __future__ import annotations

KINDS = """
    const given = Object.getOwnPropertyDescriptor(Blob.prototype, "type").get;
    Object.defineProperty(File.prototype, "type", {
        get() {
            const type = given.call(this);
            return type.startsWith("image/") ? type : "image/heic";
        },
    });
"""
"""Gradio refuses for a picture, unseen, what is none by a browser's word, which knows of no HEIC or
RAW where its system does not; and says in its own words what is wrong. Here the bytes are judged.
"""

LINE = """
    const LINE = '.slider-wrap [data-testid="slider"]';
    const STEPS = {
        ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2,
        PageDown: -20, PageUp: 20, Home: -100, End: 100,
    };

    function ends(line) {
        const box = line.parentElement.getBoundingClientRect();
        const image = line.parentElement.querySelector("img");
        const whole = image.getBoundingClientRect();
        const width = whole.height * image.naturalWidth / image.naturalHeight;
        const beside = Math.max(0, (whole.width - width) / 2);
        const left = Math.max(box.left, whole.left + beside);
        return [left, Math.min(box.right, whole.right - beside)];
    }

    function place(line) {
        const [left, right] = ends(line);
        const {x, width} = line.getBoundingClientRect();
        const percent = 100 * (x + width / 2 - left) / (right - left);
        return Number.isFinite(percent) ? within(Math.round(percent)) : 50;
    }

    function within(percent) {
        return Math.max(0, Math.min(100, percent));
    }

    function tell(line) {
        line.setAttribute("aria-valuenow", place(line));
    }

    function found(line) {
        line.role = "slider";
        line.tabIndex = 0;
        line.setAttribute("aria-label", "Line between the two pictures");
        tell(line);
        const moved = new MutationObserver(() => tell(line));
        moved.observe(line, {attributes: true, attributeFilter: ["style"]});
    }

    new MutationObserver(() => {
        document.querySelectorAll(LINE + ":not([tabindex])").forEach(found);
    }).observe(document, {childList: true, subtree: true});

    document.addEventListener("keydown", event => {
        const line = event.target, step = STEPS[event.key];
        if (!step || !line.matches?.(LINE) || event.ctrlKey || event.altKey || event.metaKey)
            return;
        event.preventDefault();
        const [left, right] = ends(line);
        const to = within(place(line) + step) / 100;
        const clientX = Math.round(left + to * (right - left));
        for (const kind of ["mousedown", "mouseup"])
            line.dispatchEvent(new MouseEvent(kind, {clientX, bubbles: true, view: window}));
    });
"""
"""The line of a gr.ImageSlider moves by keys as well, and says where it is, in per cent of the
picture as it is seen. Gradio moves it to where it is pressed, and makes it anew with a result.
"""

HEAD = "\n".join(f"<script>{{{script}}}</script>" for script in (KINDS, LINE))
