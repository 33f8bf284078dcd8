# Texts of mails in English. Every language has the same messages, attributes and variables; a test compares them.

greeting = Hello { $given },
closing = Your FooStore team

channel-email = e-mail
channel-app = app
channel-wallet = wallet pass

tier-bronze = Bronze
tier-silver = Silver
tier-gold = Gold
tier-platinum = Platinum

percentage = { $percent }%
decimal-mark = .
amount = { $amount } { $currency }
date =
    { $day } { $month ->
        [1] January
        [2] February
        [3] March
        [4] April
        [5] May
        [6] June
        [7] July
        [8] August
        [9] September
        [10] October
        [11] November
       *[12] December
    } { $year }

member-enrolled =
    .subject = Welcome to FooStore's loyalty programme
    .body = you are now a member of our loyalty programme. From today every purchase earns you points.

member-renamed =
    .subject = Your name was changed
    .body =
        we have changed the name of your membership to: { $full }.

        If you did not ask for this, please contact our customer service.

member-preferences-changed =
    .subject = Your contact preferences were changed
    .body =
        we have changed your contact preferences. You now hear from us by: { $channels }.

        If you did not ask for this, please contact our customer service.

email-changed =
    .subject = Your e-mail address was changed
    .body =
        we have changed the e-mail address of your membership, and write to the new one from now on.

        If you did not ask for this, please contact our customer service.

member-erased =
    .subject = Your membership has ended
    .body = as you asked, we have ended your membership and deleted your personal data. This is the last message you receive from us.

tier-ascended =
    .subject = You have reached { $tier }
    .highlight = { $tier }
    .body = congratulations: your points of the last twelve months take you from { $previous } to { $tier }.

tier-descended =
    .subject = Your tier is now { $tier }
    .highlight = { $tier }
    .body =
        points count for your tier for twelve months. Some of yours no longer do, so your tier changes from { $previous } to { $tier }.

        The points themselves are still yours to redeem.

discount-activated =
    .subject = A discount of { $discount } for you
    .highlight = { $discount }
    .body = you have a discount of { $discount }. It is valid until { $date }.

discount-expired =
    .subject = Your discount of { $discount } has expired
    .highlight = { $discount }
    .body = your discount of { $discount } was valid until { $date } and can no longer be used.
