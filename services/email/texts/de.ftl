# Texts of mails in German. Every language has the same messages, attributes and variables; a test compares them.

greeting = Guten Tag { $given },
closing = Ihr FooStore-Team

channel-email = E-Mail
channel-app = App
channel-wallet = Wallet-Karte

tier-bronze = Bronze
tier-silver = Silber
tier-gold = Gold
tier-platinum = Platin

percentage = { $percent }{ "\u00A0" }%
decimal-mark = ,
amount = { $amount } { $currency }
date =
    { $day }. { $month ->
        [1] Januar
        [2] Februar
        [3] März
        [4] April
        [5] Mai
        [6] Juni
        [7] Juli
        [8] August
        [9] September
        [10] Oktober
        [11] November
       *[12] Dezember
    } { $year }

member-enrolled =
    .subject = Willkommen beim Treueprogramm von FooStore
    .body = Sie sind jetzt Mitglied unseres Treueprogramms. Ab heute sammeln Sie bei jedem Einkauf Punkte.

member-renamed =
    .subject = Ihr Name wurde geändert
    .body =
        wir haben den Namen Ihrer Mitgliedschaft geändert in: { $full }.

        Falls Sie das nicht gewünscht haben, wenden Sie sich bitte an unseren Kundenservice.

member-preferences-changed =
    .subject = Ihre Kontakteinstellungen wurden geändert
    .body =
        wir haben Ihre Kontakteinstellungen geändert. Sie hören ab jetzt von uns über: { $channels }.

        Falls Sie das nicht gewünscht haben, wenden Sie sich bitte an unseren Kundenservice.

email-changed =
    .subject = Ihre E-Mail-Adresse wurde geändert
    .body =
        wir haben die E-Mail-Adresse Ihrer Mitgliedschaft geändert und schreiben ab jetzt an die neue.

        Falls Sie das nicht gewünscht haben, wenden Sie sich bitte an unseren Kundenservice.

member-erased =
    .subject = Ihre Mitgliedschaft ist beendet
    .body = wie gewünscht haben wir Ihre Mitgliedschaft beendet und Ihre persönlichen Daten gelöscht. Dies ist die letzte Nachricht, die Sie von uns erhalten.

tier-ascended =
    .subject = Sie haben { $tier } erreicht
    .highlight = { $tier }
    .body = herzlichen Glückwunsch: Mit Ihren Punkten der letzten zwölf Monate steigen Sie von { $previous } auf { $tier }.

tier-descended =
    .subject = Ihr Status ist jetzt { $tier }
    .highlight = { $tier }
    .body =
        Punkte zählen zwölf Monate lang für Ihren Status. Einige Ihrer Punkte sind älter, daher ändert er sich von { $previous } auf { $tier }.

        Die Punkte selbst können Sie weiterhin einlösen.

discount-activated =
    .subject = Ein Rabatt von { $discount } für Sie
    .highlight = { $discount }
    .body = Sie haben einen Rabatt von { $discount }. Er gilt bis { $date }.

discount-expired =
    .subject = Ihr Rabatt von { $discount } ist abgelaufen
    .highlight = { $discount }
    .body = Ihr Rabatt von { $discount } galt bis { $date } und kann nicht mehr eingelöst werden.
