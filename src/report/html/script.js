'use strict';
(() => {
  const bar = document.getElementById('tools');
  const entries = [...document.querySelectorAll('.entry')];
  const kinds = [...bar.querySelectorAll('button[data-kind]')];
  const fold = document.getElementById('fold');
  const search = document.getElementById('search');
  const found = document.getElementById('found');
  const isOn = (kind) => kinds.find((button) => button.dataset.kind === kind).getAttribute('aria-pressed') === 'true';
  const filter = () => {
    const wanted = search.value.trim().toLowerCase();
    const onlyFailed = isOn('failed');
    let shown = 0;
    for (const entry of entries) {
      const fits = onlyFailed ? entry.classList.contains('failed') : isOn(entry.dataset.kind);
      const on = fits && (wanted === '' || entry.textContent.toLowerCase().includes(wanted));
      entry.classList.toggle('off', !on);
      shown += on ? 1 : 0;
    }
    found.textContent = shown === entries.length ? '' : `${shown} of ${entries.length}`;
  };
  const open = (all) => {
    for (const details of document.querySelectorAll('.entry details')) details.open = all;
    fold.textContent = all ? 'Fold all' : 'Open all';
    fold.dataset.open = all ? 'yes' : 'no';
  };
  for (const button of kinds) {
    button.addEventListener('click', () => {
      button.setAttribute('aria-pressed', button.getAttribute('aria-pressed') === 'true' ? 'false' : 'true');
      filter();
    });
  }
  fold.addEventListener('click', () => open(fold.dataset.open !== 'yes'));
  search.addEventListener('input', filter);
  if (entries.length > 0) bar.hidden = false;
})();
