(function () {
  var all = function (q, at) { return Array.prototype.slice.call((at || document).querySelectorAll(q)); };
  all('.tabs button').forEach(function (button) {
    button.onclick = function () {
      all('.tabs button').forEach(function (b) { b.setAttribute('aria-pressed', b === button); });
      all('[data-work]').forEach(function (part) { part.hidden = part.dataset.work !== button.dataset.show; });
    };
  });
  var first = document.querySelector('.tabs button'); if (first) first.click();
  var bubble = document.getElementById('bubble');
  all('.tip').forEach(function (mark) {
    var title = mark.querySelector('title'), words = title.textContent;
    mark.addEventListener('mousemove', function (e) {
      title.textContent = ''; bubble.textContent = words; bubble.style.display = 'block';
      bubble.style.left = Math.min(e.clientX + 14, innerWidth - 440) + 'px'; bubble.style.top = (e.clientY + 16) + 'px';
    });
    mark.addEventListener('mouseleave', function () { title.textContent = words; bubble.style.display = 'none'; });
  });
  var table = document.querySelector('#provenance table'), filter = document.getElementById('filter');
  var count = document.getElementById('count');
  if (table) {
    var rows = all('tbody tr', table);
    var show = function () {
      var want = filter.value.toLowerCase(), n = 0;
      rows.forEach(function (r) { var on = r.textContent.toLowerCase().indexOf(want) >= 0; r.hidden = !on; n += on; });
      count.textContent = n + ' of ' + rows.length;
    };
    filter.oninput = show; show();
    all('thead th', table).forEach(function (th, column) {
      var button = document.createElement('button'); button.textContent = th.textContent; th.textContent = ''; th.appendChild(button);
      var up = true;
      button.onclick = function () {
        rows.sort(function (a, b) {
          var x = a.children[column].textContent, y = b.children[column].textContent;
          var d = (parseFloat(x) - parseFloat(y)); if (isNaN(d)) d = x.localeCompare(y); return up ? d : -d;
        });
        up = !up; rows.forEach(function (r) { r.parentNode.appendChild(r); });
      };
    });
  }
  document.body.dataset.ready = 'yes';
})();
